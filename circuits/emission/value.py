# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where the integers of a tensor are inside the emitted ONNX graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from circuits.circuit import IntArray

Exponent: TypeAlias = tuple[int, ...]
"""Units 2^-e: one e, or one per channel (per-sample axis 0) where they differ."""


@dataclass(frozen=True, slots=True)
class Value:
    """The ONNX value `name` holds v, and the integers are v * 2^exponent, floored first where `floor` is set.
    `rank` counts the per-sample axes.

    `wide`: float64 instead of float32. `reach`: the largest magnitude, in integer units, that any partial sum
    may take on the way here if the runtime folds this value's nodes into their consumers.
    """

    name: str
    wide: bool
    exponent: Exponent
    rank: int
    reach: int
    floor: bool = False


@dataclass(frozen=True, slots=True)
class Recovery:
    """How to read a tensor's integers from the ONNX value `value`."""

    value: str
    exponent: Exponent
    floor: bool

    def integers(self, array: npt.NDArray[np.floating]) -> IntArray:
        """array [N, *shape], float32 or float64 -> the integers, int64. Exact: all of them are below 2^53."""
        exact = array.astype(np.float64)
        if self.floor:
            exact = np.floor(exact)
        if any(self.exponent):
            exponents = np.array(self.exponent, dtype=np.int64)
            if len(self.exponent) > 1:
                exponents = exponents.reshape(-1, *([1] * (array.ndim - 2)))
            exact = np.ldexp(exact, exponents)
        return exact.astype(np.int64)
