# SPDX-License-Identifier: AGPL-3.0-or-later
"""QLinearConv: a convolution between stated grids. In integers: weights dequantised, then exactly as Conv."""

from __future__ import annotations

from collections.abc import Mapping

from circuits.ops.batch import Dims
from circuits.ops.conv import convolution, convolution_shape
from circuits.ops.forms import Form, Grid
from circuits.ops.operator import Call, Operator
from circuits.ops.quantization import dequantised, grid_of


class QLinearConv(Operator):
    """Inputs: x, x_scale, x_zero_point, w, w_scale, w_zero_point, y_scale, y_zero_point, B"""

    name = "QLinearConv"
    since = 10
    attributes = frozenset({"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"})

    def shapes(self, call: Call) -> tuple[Dims, ...]:
        return convolution_shape(call, call.dims(3))

    def form(self, call: Call) -> Form:
        bias = call.reals(8) * call.scalar(1) * call.reals(4).reshape(-1) if call.has(8) else None
        return convolution(call, dequantised(call, 3, 4, 5, axis=0), bias)

    def grid(self, call: Call) -> Mapping[str, Grid]:
        return {call.name(0): grid_of(call, 1, 2), call.node.output: grid_of(call, 6, 7)}
