# SPDX-License-Identifier: AGPL-3.0-or-later
"""The tables that lookups go into.  All are derived from the circuit; none is read from a proof.

=========  =========================================================  ======================================
table      rows (first, second)                                       says
=========  =========================================================  ======================================
Range      (v, 0) for 0 <= v < 2^bits                                 first is a limb of so many bits
Clamp      (y, 0) for lo <= y <= hi; (hi, +v), (lo, -v), 0 < v < 2^b  what was cut off, second, is 0 inside
Select     (v, 0) for 0 <= v < 2^bits; (0, 1)                         if second is 1, first is 0
Pairs      (lo + i, T[i])                                             second = T[first - lo]
=========  =========================================================  ======================================

A lookup of (first, second) in table number t is the single element first + gamma*second + gamma^2*(t + 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from verifier.proof.weight import Integers

Rows: TypeAlias = tuple[Integers, Integers]


@dataclass(frozen=True)
class Range:
    """0 <= first < 2^bits, second = 0."""

    bits: int

    def rows(self) -> Rows:
        """Both columns."""
        first = np.arange(1 << self.bits, dtype=np.int64)
        return first, np.zeros_like(first)

    def index(self, first: Integers, second: Integers) -> Integers:
        """Row numbers of pairs that are in the table."""
        return first


@dataclass(frozen=True)
class Clamp:
    """A value y in [lo, hi] and a limb of what the clamp cut off: positive at hi only, negative at lo only."""

    lo: int
    hi: int
    bits: int
    below: bool
    above: bool

    def rows(self) -> Rows:
        """Both columns."""
        inside = np.arange(self.lo, self.hi + 1, dtype=np.int64)
        excess = np.arange(1, 1 << self.bits, dtype=np.int64)
        first, second = [inside], [np.zeros_like(inside)]
        if self.above:
            first.append(np.full_like(excess, self.hi))
            second.append(excess)
        if self.below:
            first.append(np.full_like(excess, self.lo))
            second.append(-excess)
        return np.concatenate(first), np.concatenate(second)

    def index(self, first: Integers, second: Integers) -> Integers:
        """Row numbers of pairs that are in the table."""
        size, excess = self.hi - self.lo + 1, (1 << self.bits) - 1
        over = size - 1 + second
        under = size - 1 + (excess if self.above else 0) - second
        return np.where(second == 0, first - self.lo, np.where(second > 0, over, under))


@dataclass(frozen=True)
class Select:
    """A limb of a difference, and whether its element was selected."""

    bits: int

    def rows(self) -> Rows:
        """Both columns."""
        first = np.arange((1 << self.bits) + 1, dtype=np.int64)
        second = np.zeros_like(first)
        first[-1], second[-1] = 0, 1
        return first, second

    def index(self, first: Integers, second: Integers) -> Integers:
        """Row numbers of pairs that are in the table."""
        return np.where(second == 1, 1 << self.bits, first)


@dataclass(frozen=True, eq=False)
class Pairs:
    """A function of one integer, by its values at lo, lo + 1, ..."""

    lo: int
    values: Integers

    def rows(self) -> Rows:
        """Both columns."""
        return self.lo + np.arange(len(self.values), dtype=np.int64), self.values

    def index(self, first: Integers, second: Integers) -> Integers:
        """Row numbers of pairs that are in the table."""
        return first - self.lo


Table: TypeAlias = Range | Clamp | Select | Pairs
