# SPDX-License-Identifier: AGPL-3.0-or-later
"""QLinearMatMul: a matrix product between stated grids. In integers: as MatMul on the dequantised operands."""

from __future__ import annotations

from collections.abc import Mapping

from circuits.errors import MalformedError
from circuits.ops.batch import Dims
from circuits.ops.forms import Dense, Form, Grid, Linear
from circuits.ops.mat_mul import matrix
from circuits.ops.operator import Call, Operator
from circuits.ops.quantization import dequantised, grid_of


class QLinearMatMul(Operator):
    """Inputs: a, a_scale, a_zero_point, b, b_scale, b_zero_point, y_scale, y_zero_point"""

    name = "QLinearMatMul"
    since = 10

    def shapes(self, call: Call) -> tuple[Dims, ...]:
        if not call.is_constant(3) or call.is_constant(0):
            raise call.refuse(
                "both operands are computed, or the left one is constant",
                "Only a constant right operand is supported.",
            )
        left, right = call.dims(0), matrix(call, call.constant(3)).shape
        call.sample(0)
        if len(left) < 2 or left[-1] != right[0]:
            raise MalformedError("compile.onnx.malformed", f"{call.where}: {left} @ {right} is not a product")
        return ((*left[:-1], right[1]),)

    def form(self, call: Call) -> Form:
        return Linear((Dense(call.name(0), matrix(call, dequantised(call, 3, 4, 5, axis=-1))),))

    def grid(self, call: Call) -> Mapping[str, Grid]:
        return {call.name(0): grid_of(call, 1, 2), call.node.output: grid_of(call, 6, 7)}
