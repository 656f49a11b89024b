# SPDX-License-Identifier: AGPL-3.0-or-later
"""Several sources of one machine as one: a collection whose pieces answer one challenge of one session.

::

    challenge (32) -> piece_challenges(challenge, type by label) -> each source -> collection
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

from attestation.cmw.collection import CHALLENGE_BYTES, ID, MAX_COLLECTION, TYPE, Collection, Piece, encode
from attestation.cmw.collection import piece_challenges as challenges
from attestation.errors import OperationalError

if TYPE_CHECKING:
    from attestation.producers import Producer


class CollectionProducer:
    """Evidence of several sources, by label; with a simulated one among them, all of it is simulated."""

    type = TYPE

    def __init__(self, sources: Mapping[str, Producer]) -> None:
        """Takes the sources over. Raises `MalformedError` for labels outside their grammar, or none or too many."""
        self._sources = dict(sources)
        self._types = {label: source.type for label, source in sources.items()}
        challenges(bytes(CHALLENGE_BYTES), self._types)
        self.simulated = any(source.simulated for source in sources.values())

    @property
    def types(self) -> Mapping[str, str]:
        """The type of each piece, by label."""
        return self._types

    def describe(self) -> str:
        """One line for people."""
        return " and ".join(f"{label}: {self._sources[label].describe()}" for label in sorted(self._sources))

    def collect(self, challenge: bytes) -> dict[str, bytes]:
        """The member of `cmw-collection@v1` for a challenge of 32 bytes.

        Raises `OperationalError` (`evidence.cmw.challenge-length`, `evidence.cmw.collection-too-large`), and as the
        sources do: a session in which one of them fails has no evidence.
        """
        if len(challenge) != CHALLENGE_BYTES:
            raise OperationalError(
                f"{ID}.challenge-length", f"challenge of {len(challenge)} bytes; a collection takes {CHALLENGE_BYTES}"
            )
        asked = challenges(challenge, self._types)
        pieces = {
            label: Piece(source.type, source.collect(asked[label])) for label, source in sorted(self._sources.items())
        }
        data = encode(Collection(challenge, pieces))
        if len(data) > MAX_COLLECTION:
            raise OperationalError(f"{ID}.collection-too-large", f"{len(data)} bytes; at most {MAX_COLLECTION}")
        return {"collection": data}

    def close(self) -> None:
        """Close every source, also where closing one of them fails."""
        with ExitStack() as stack:
            for source in self._sources.values():
                stack.callback(source.close)
