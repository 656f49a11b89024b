# SPDX-License-Identifier: AGPL-3.0-or-later
"""Base class of the operators that act on each element alone."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

from circuits.ops.batch import Dims
from circuits.ops.forms import Form, Table
from circuits.ops.operator import Array, Call, Operator, broadcast

MAX_FOLDED = 1 << 20
"""Elements of a constant that a scalar function is evaluated on, one decimal at a time."""


class Elementwise(Operator):
    """A scalar function of one tensor; subclasses give `scalar`. In integers: one table."""

    def shapes(self, call: Call) -> tuple[Dims, ...]:
        return (call.dims(0),)

    def form(self, call: Call) -> Form:
        def function(x: Decimal) -> Decimal:
            y = self.scalar(call, x)
            if y is None:  # subclasses of Elementwise are scalar functions by definition
                raise call.refuse("is not a function of one tensor here")
            return y

        return Table(call.name(0), function, call.node.op)

    def fold(self, call: Call, values: Sequence[Array]) -> tuple[Array, ...] | None:
        x = values[0]
        if x.size > MAX_FOLDED:
            raise call.refuse(f"applied to a constant of {x.size} elements (at most {MAX_FOLDED})")
        out = [float(self.scalar(call, Decimal(v)) or 0) for v in x.astype(np.float64).reshape(-1).tolist()]
        return (np.array(out, dtype=np.float64).reshape(x.shape).astype(x.dtype),)


class Arithmetic(Operator):
    """Add, Sub, Mul, Div: two operands, broadcasting."""

    def shapes(self, call: Call) -> tuple[Dims, ...]:
        return (broadcast(call, 0, 1),)


def negated(factor: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """-factor without negative zeros, which would be a second spelling of the same constant."""
    return -factor + 0.0


def as_numbers(values: Sequence[Array]) -> list[Any]:
    """Operands of constant arithmetic; shape vectors (object arrays) stay exact."""
    return [v if v.dtype == object or v.dtype.kind in "iu" else v.astype(np.float64) for v in values]
