# SPDX-License-Identifier: AGPL-3.0-or-later
"""A bag of recognised collateral."""

from __future__ import annotations

from dataclasses import dataclass

from attestation.errors import MalformedError

MAX_ITEMS = 512
MAX_ITEM = 16 << 20
MAX_TOTAL = 64 << 20
"""Limits in items and bytes: a real bag has a dozen items of some kilobytes each."""


@dataclass(frozen=True, slots=True)
class Item:
    """One piece: `kind` is what `recognition` found it to be, `data` its bytes without armour."""

    kind: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Collateral:
    """Recognised items, in the order in which they were given, each once."""

    items: tuple[Item, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what exceeds the limits. Raises `MalformedError` with `evidence.collateral.too-much`."""
        total = sum(len(item.data) for item in self.items)
        if len(self.items) > MAX_ITEMS or total > MAX_TOTAL:
            raise MalformedError(
                "evidence.collateral.too-much",
                f"{len(self.items)} items of {total} bytes; at most {MAX_ITEMS} and {MAX_TOTAL}",
            )

    def of(self, kind: str) -> tuple[bytes, ...]:
        """The bytes of every item of one kind."""
        return tuple(item.data for item in self.items if item.kind == kind)

    def __add__(self, other: Collateral) -> Collateral:
        """Both, without duplicates."""
        return Collateral(tuple(dict.fromkeys((*self.items, *other.items))))


EMPTY = Collateral()
