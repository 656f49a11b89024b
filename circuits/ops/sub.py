# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sub: y = x - y, broadcasting.

In integers: operands on a shared grid add as they are; a constant joins the bias; an operand that is itself an
unrounded linear map joins its accumulator, so that a residual connection costs one rounding in all.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from circuits.ops.elementwise import Arithmetic, as_numbers, negated
from circuits.ops.forms import Form, Linear, Scaled
from circuits.ops.operator import Array, Call, per_sample


class Sub(Arithmetic):
    """x - y"""

    name = "Sub"

    def form(self, call: Call) -> Form:
        one = np.ones(())
        if len(call.dynamic) == 2:
            return Linear((Scaled(call.name(0), one), Scaled(call.name(1), -one)))
        if call.dynamic == (0,):
            return Linear((Scaled(call.name(0), one),), negated(per_sample(call, 1)))
        return Linear((Scaled(call.name(1), -one),), per_sample(call, 0))

    def scalar(self, call: Call, *args: Decimal) -> Decimal | None:
        return args[0] - args[1]

    def fold(self, call: Call, values: Sequence[Array]) -> tuple[Array, ...] | None:
        left, right = as_numbers(values)
        return (np.asarray(left - right),)
