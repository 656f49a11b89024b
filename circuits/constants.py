# SPDX-License-Identifier: AGPL-3.0-or-later
"""Constants: the one storage type that a set of values has, and its limits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from circuits.circuit import Constant
from circuits.errors import MalformedError
from circuits.limits import MAGNITUDE, MAX_CONSTANT_ELEMENTS, MAX_RANK

_TYPES = (np.int8, np.int16, np.int32, np.int64)


def narrowest(lo: int, hi: int) -> np.dtype[np.signedinteger]:
    """The smallest of int8, int16, int32, int64 that holds [lo, hi]."""
    for kind in _TYPES:
        if np.iinfo(kind).min <= lo and hi <= np.iinfo(kind).max:
            return np.dtype(kind)
    raise MalformedError("circuit.constant.range", f"values in [{lo}, {hi}]; required below 2^53 in magnitude")


def make_constant(name: str, array: npt.ArrayLike) -> Constant:
    """A constant in its narrowest type, read-only, C order. Raises MalformedError (circuit.constant.*)."""
    given = np.asarray(array)
    if given.dtype.kind not in "iu" or (given.dtype.kind == "u" and given.size and int(given.max()) >= MAGNITUDE):
        raise MalformedError(
            "circuit.constant.range", f"constant {name!r} ({given.dtype}): required integers below 2^53"
        )
    if given.ndim > MAX_RANK or not 0 < given.size <= MAX_CONSTANT_ELEMENTS:
        raise MalformedError(
            "circuit.constant.shape",
            f"constant {name!r} is {list(given.shape)}; required 1 to {MAX_CONSTANT_ELEMENTS}",
        )
    data = np.array(given, dtype=narrowest(int(given.min()), int(given.max())), order="C")
    data.setflags(write=False)
    constant = Constant(name, data)
    check_constant(constant)
    return constant


def check_constant(constant: Constant) -> None:
    """Values below 2^53 in magnitude, in the narrowest type that holds them."""
    lo, hi = int(constant.data.min()), int(constant.data.max())
    if max(abs(lo), abs(hi)) >= MAGNITUDE:
        raise MalformedError("circuit.constant.range", f"constant {constant.name!r} reaches 2^53; required below")
    if constant.data.dtype != narrowest(lo, hi):
        raise MalformedError(
            "circuit.constant.not-canonical",
            f"constant {constant.name!r} in [{lo}, {hi}] is {constant.data.dtype}; required {narrowest(lo, hi)}",
        )
