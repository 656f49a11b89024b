# SPDX-License-Identifier: AGPL-3.0-or-later
"""Trustworthiness claims and tiers (draft-ietf-rats-ar4si, sections 2.3.2 to 2.3.4)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

CATEGORIES: tuple[str, ...] = (
    "instance-identity",
    "configuration",
    "executables",
    "file-system",
    "hardware",
    "runtime-opaque",
    "storage-opaque",
    "sourced-data",
)
"""The claims of a trustworthiness vector; each one's index is its label in CBOR."""


class Tier(Enum):
    """The four tiers; the values are their numbers in CBOR."""

    NONE = 0
    AFFIRMING = 2
    WARNING = 32
    CONTRAINDICATED = 96

    @property
    def word(self) -> str:
        """``affirming``, ``warning``, ``contraindicated`` or ``none``."""
        return self.name.lower()

    @property
    def badness(self) -> int:
        """Rank from best, affirming (0), over none and warning to contraindicated (3)."""
        return _FROM_BEST.index(self)


_FROM_BEST = (Tier.AFFIRMING, Tier.NONE, Tier.WARNING, Tier.CONTRAINDICATED)


def tier_of(claim: int) -> Tier | None:
    """The tier of a claim's value; ``None`` outside -128 to 127.

    -1, 0 and 1 are ``none``: they say something of the verifier or the evidence, nothing of the attester. Values that
    belong to one verifier alone are the negative ones, in the same ranges.
    """
    if not -128 <= claim <= 127:
        return None
    size = claim if claim >= 0 else -claim - 1
    if claim in (-1, 0, 1):
        return Tier.NONE
    if size < 32:
        return Tier.AFFIRMING
    return Tier.WARNING if size < 96 else Tier.CONTRAINDICATED


def worst(tiers: Iterable[Tier]) -> Tier:
    """The worst of them; ``none`` where there are none."""
    return max(tiers, key=lambda tier: tier.badness, default=Tier.NONE)
