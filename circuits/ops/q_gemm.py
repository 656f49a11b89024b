# SPDX-License-Identifier: AGPL-3.0-or-later
"""QGemm (com.microsoft): alpha * A @ B + C between stated grids; C is int32 in units alpha * scale_A * scale_B.

In integers: as Gemm on the dequantised operands. Without an output scale the result is real, as ONNX Runtime's
operator documentation has it.
"""

from __future__ import annotations

from collections.abc import Mapping

from circuits.ops.batch import Dims
from circuits.ops.forms import Dense, Form, Grid, Linear
from circuits.ops.gemm import addend, product_shape
from circuits.ops.operator import MICROSOFT, Call, Operator
from circuits.ops.quantization import dequantised, grid_of


class QGemm(Operator):
    """Inputs: A, a_scale, a_zero_point, B, b_scale, b_zero_point, C, y_scale, y_zero_point"""

    name = "QGemm"
    domain = MICROSOFT
    since = 1
    attributes = frozenset({"alpha", "transA", "transB"})

    def shapes(self, call: Call) -> tuple[Dims, ...]:
        return (product_shape(call, 3, bool(call.attribute("transB", 0))),)

    def form(self, call: Call) -> Form:
        transposed, alpha = bool(call.attribute("transB", 0)), float(call.attribute("alpha", 1.0))
        weight = dequantised(call, 3, 4, 5, axis=0 if transposed else 1)
        term = Dense(call.name(0), (weight.T if transposed else weight) * alpha)
        if not call.has(6):
            return Linear((term,))
        step = call.scalar(1) * call.reals(4).reshape(-1) * alpha
        return Linear((term,), addend(call, 6) * step)

    def grid(self, call: Call) -> Mapping[str, Grid]:
        grids = {call.name(0): grid_of(call, 1, 2)}
        if call.has(7):
            grids[call.node.output] = grid_of(call, 7, 8)
        return grids
