# SPDX-License-Identifier: AGPL-3.0-or-later
"""Mul: y = x * y, broadcasting.

By a constant: the factor is folded into the weights of the linear map before it, or is an affine gate of its own.
Of two dynamic tensors (squeeze-and-excite): an exact product and one shift; the grid of the result is chosen so that
the ratio of scales is a power of two.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from circuits.ops.elementwise import Arithmetic, as_numbers
from circuits.ops.forms import Form, Linear, Product, Scaled
from circuits.ops.operator import Array, Call, per_sample


class Mul(Arithmetic):
    """x * y"""

    name = "Mul"

    def form(self, call: Call) -> Form:
        if len(call.dynamic) == 2:
            return Product(call.name(0), call.name(1), matrix=False)
        (dynamic,) = call.dynamic
        return Linear((Scaled(call.name(dynamic), per_sample(call, 1 - dynamic)),))

    def scalar(self, call: Call, *args: Decimal) -> Decimal | None:
        return args[0] * args[1]

    def fold(self, call: Call, values: Sequence[Array]) -> tuple[Array, ...] | None:
        left, right = as_numbers(values)
        return (np.asarray(left * right),)
