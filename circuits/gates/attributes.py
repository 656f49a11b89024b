# SPDX-License-Identifier: AGPL-3.0-or-later
"""Attribute types: what a gate's attribute may be, with its range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from circuits.circuit import Attribute
from circuits.limits import MAGNITUDE, MAX_RANK

_LARGE = 1 << 31


@dataclass(frozen=True, slots=True)
class Int:
    """An integer in [lo, hi]."""

    lo: int = 1 - MAGNITUDE
    hi: int = MAGNITUDE - 1

    def parse(self, value: object) -> Attribute | None:
        """The attribute, or None if `value` is not one."""
        return value if type(value) is int and self.lo <= value <= self.hi else None

    def __str__(self) -> str:
        return f"an integer in [{self.lo}, {self.hi}]"


@dataclass(frozen=True, slots=True)
class Ints:
    """At most `length` integers, each in [lo, hi]."""

    lo: int
    hi: int = _LARGE
    length: int = 2 * MAX_RANK

    def parse(self, value: object) -> Attribute | None:
        """The attribute as a tuple, or None if `value` is not one."""
        if not isinstance(value, list | tuple) or len(value) > self.length:
            return None
        return tuple(value) if all(type(v) is int and self.lo <= v <= self.hi for v in value) else None

    def __str__(self) -> str:
        return f"at most {self.length} integers in [{self.lo}, {self.hi}]"


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    def parse(self, value: object) -> Attribute | None:
        """The attribute, or None if `value` is not one."""
        return value if isinstance(value, bool) else None

    def __str__(self) -> str:
        return "true or false"


Field: TypeAlias = Int | Ints | Flag
