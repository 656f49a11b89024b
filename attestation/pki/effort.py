# SPDX-License-Identifier: AGPL-3.0-or-later
"""How much work strangers' collateral may cause in one appraisal.

A signature costs a fifth to a whole millisecond, a folder may hold hundreds of pieces, and most of them may be made so
that only their signature shows that they are nobody's. What is counted are different verifications, whether or not an
earlier appraisal has made and remembered them, so that the same evidence always comes to the same end.
"""

from __future__ import annotations

from collections.abc import Hashable


class Effort:
    """A limit of different verifications; of one appraisal and never shared."""

    __slots__ = ("_limit", "_seen", "refused")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._seen: set[Hashable] = set()
        self.refused = 0
        """How often there was no room."""

    def allows(self, *what: Hashable) -> bool:
        """Whether `what` may be verified: it is counted already, or there is room for one more."""
        if what in self._seen:
            return True
        if len(self._seen) >= self._limit:
            self.refused += 1
            return False
        self._seen.add(what)
        return True
