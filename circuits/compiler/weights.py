# SPDX-License-Identifier: AGPL-3.0-or-later
"""From real weights to integers: the shift of each channel, under the accumulator bound.

acc[c] = sum round(W * s_in / s_out * 2^shift[c]) * x + round(b / s_out * 2^shift[c]) + 2^(shift[c] - 1)

The shift is as large as |acc| < 2^24 allows for every partial sum (so float32 computes it exactly, in any order), as
the weight bits allow, and at most SPREAD above the smallest of the tensor, which keeps the prover's range checks
alike. Where 24 bits would cost precision that shows, the bound is raised and the emission splits the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from circuits.ops.forms import Reals

Ints = npt.NDArray[np.int64]

NARROW = 1 << 24
WIDE = 1 << 34
MAX_SHIFT = 16
SPREAD = 4
VISIBLE = 1.0 / 256.0
"""Share of the output's range (standard deviation) from which on the error of rounded weights is not accepted."""
VISIBLE_OUTSIDE = 1.0 / 4096.0
"""The same for what leaves the circuit, or is exponentiated on the way out."""


@dataclass(frozen=True, eq=False)
class Part:
    """Real coefficients of one term, in output units: `rows` [C, n], for integers in [lo, hi].

    `summed`: the products of a row are added up for one output element (else a factor per position). A partial sum
    takes any subset of the terms: at one extreme all that can be positive, at the other all that can be negative.
    """

    rows: Reals
    lo: int
    hi: int
    summed: bool = True
    rms: float = 0.0
    """Root mean square of what the coefficients multiply; 0 where rounding them is of no concern."""

    def norm(self) -> Reals:
        """Largest partial sum per channel, in output units."""
        out: Reals = self._reach(self.rows)
        return out

    def exact_norm(self, shifts: Ints) -> Ints:
        """The same of the rounded integers."""
        out: Ints = self._reach(rounded(self.rows, shifts[:, None]))
        return out

    def _reach(self, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        above, below = max(self.hi, 0), max(-self.lo, 0)
        if not self.summed:
            factor: npt.NDArray[Any] = np.abs(rows).max(axis=1, initial=0) * max(above, below)
            return factor
        positive, negative = np.maximum(rows, 0).sum(axis=1), np.maximum(-rows, 0).sum(axis=1)
        most: npt.NDArray[Any] = np.maximum(positive * above + negative * below, positive * below + negative * above)
        return most


def rounded(values: Reals, shifts: Ints | int) -> Ints:
    """floor(values * 2^shifts + 1/2), exact scaling."""
    out: Ints = np.floor(np.ldexp(values, np.asarray(shifts, dtype=np.int64)) + 0.5).astype(np.int64)
    return out


def halves(shifts: Ints) -> Ints:
    """2^(shift - 1), and 0 for shift 0: turns floor into rounding half up."""
    out: Ints = np.where(shifts > 0, 1 << np.maximum(shifts - 1, 0), 0).astype(np.int64)
    return out


def choose_shifts(parts: Sequence[Part], bias: Reals, weight_bits: int, per_channel: bool, noise: float) -> Ints:
    """Shift of each of the C channels; `bias` [C, m] in output units. All equal unless `per_channel`.

    `noise`: largest standard deviation, in output units, that rounding the weights may add.
    """
    exact = _exact_shift(parts, bias)
    if exact is not None:
        return np.full(len(bias), exact, dtype=np.int64)
    shifts = _fit(parts, bias, weight_bits, per_channel, NARROW)
    if _noise(parts, shifts) > noise:
        shifts = _fit(parts, bias, weight_bits, per_channel, WIDE)
    return shifts


def _fit(parts: Sequence[Part], bias: Reals, weight_bits: int, per_channel: bool, bound: int) -> Ints:
    offset = np.abs(bias).max(axis=1, initial=0.0)
    total = sum((p.norm() for p in parts), offset)
    largest = np.max([np.abs(p.rows).max(axis=1, initial=0.0) for p in parts], axis=0)
    room = np.minimum(
        (bound - 1) / np.maximum(total, 1e-300), ((1 << (weight_bits - 1)) - 1) / np.maximum(largest, 1e-300)
    )
    shifts = np.clip(np.frexp(np.maximum(room, 1.0))[1] - 1, 0, MAX_SHIFT).astype(np.int64)
    while True:
        shifts = np.minimum(shifts, shifts.min() + (SPREAD if per_channel else 0))
        reaches = [p.exact_norm(shifts) for p in parts]
        reaches[0] = reaches[0] + _offset(bias, shifts)
        # The gates bound each operand over all channels before they add, so the sum of maxima counts.
        widest = max(reaches, key=lambda r: int(r.max()))
        over = (widest >= widest.max() * 0.75) & (shifts > 0)
        # Without a shift left to lower, the values themselves are that large: the runtime splits the weights.
        if sum(int(r.max()) for r in reaches) < bound or not over.any():
            out: Ints = shifts
            return out
        shifts = shifts - over


def _offset(bias: Reals, shifts: Ints) -> Ints:
    out: Ints = np.abs(rounded(bias, shifts[:, None]) + halves(shifts)[:, None]).max(axis=1, initial=0)
    return out


def _exact_shift(parts: Sequence[Part], bias: Reals) -> int | None:
    """The smallest shift at which simple maps (no weights, only factors) are exact; None if there is none."""
    if any(p.summed for p in parts):
        return None
    values = [p.rows for p in parts] + [bias]
    for shift in range(MAX_SHIFT + 1):
        if all(bool((np.ldexp(v, shift) == np.rint(np.ldexp(v, shift))).all()) for v in values):
            return shift
    return None


def _noise(parts: Sequence[Part], shifts: Ints) -> float:
    """Standard deviation, in output units, of what rounding the weights adds."""
    variance = np.zeros(len(shifts))
    for part in parts:
        variance += np.count_nonzero(part.rows, axis=1) / 12.0 * part.rms**2
    return float(np.max(np.ldexp(np.sqrt(variance), -shifts), initial=0.0))
