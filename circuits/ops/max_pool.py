# SPDX-License-Identifier: AGPL-3.0-or-later
"""MaxPool: the largest value in a window; padding never wins. In integers: the same, exactly; no rounding."""

from __future__ import annotations

from circuits.ops.batch import BATCH, Dims
from circuits.ops.forms import Form, Pool
from circuits.ops.operator import Call, Operator
from circuits.ops.window import window


class MaxPool(Operator):
    """max over a window"""

    name = "MaxPool"
    attributes = frozenset({"auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "storage_order", "strides"})

    def shapes(self, call: Call) -> tuple[Dims, ...]:
        if len(call.node.outputs) > 1 and any(call.node.outputs[1:]):
            raise call.refuse("output Indices")
        made = window(call, call.integers("kernel_shape", ()), ceil_allowed=True)
        if (made.counts(include_pads=False) == 0).any():
            raise call.refuse("a window lies wholly in the padding")
        return ((BATCH, call.sample(0)[0], *made.output),)

    def form(self, call: Call) -> Form:
        made = window(call, call.integers("kernel_shape", ()), ceil_allowed=True)
        return Pool(call.name(0), made.kernel, made.strides, made.padding, made.dilations)
