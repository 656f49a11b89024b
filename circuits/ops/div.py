# SPDX-License-Identifier: AGPL-3.0-or-later
"""Div: y = x / c for a constant c. In integers: multiplication by 1/c, folded like Mul."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from circuits.ops.elementwise import Arithmetic, as_numbers
from circuits.ops.forms import Form, Linear, Scaled
from circuits.ops.operator import Array, Call, per_sample


class Div(Arithmetic):
    """x / c"""

    name = "Div"

    def form(self, call: Call) -> Form:
        if call.dynamic != (0,):
            raise call.refuse(
                "division by a tensor that is computed from the input",
                "Only division by a constant is supported.",
            )
        divisor = per_sample(call, 1)
        if (divisor == 0.0).any():
            raise call.refuse("division by zero")
        return Linear((Scaled(call.name(0), 1.0 / divisor),))

    def scalar(self, call: Call, *args: Decimal) -> Decimal | None:
        return args[0] / args[1] if call.dynamic == (0,) and args[1] != 0 else None

    def fold(self, call: Call, values: Sequence[Array]) -> tuple[Array, ...] | None:
        left, right = as_numbers(values)
        if np.any(right == 0):
            raise call.refuse("division by zero")
        if left.dtype.kind in "iu" and right.dtype.kind in "iu":
            return (np.asarray(np.trunc(left / right)).astype(left.dtype),)
        if object in (left.dtype, right.dtype):
            raise call.refuse("division of a shape that depends on the batch size")
        return (np.asarray(left / right),)
