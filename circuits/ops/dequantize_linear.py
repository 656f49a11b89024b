# SPDX-License-Identifier: AGPL-3.0-or-later
"""DequantizeLinear: of constants, the weights as reals; of tensors, nothing: they stay on their grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from circuits.ops.batch import Dims
from circuits.ops.forms import Grid
from circuits.ops.operator import Array, Call, Operator
from circuits.ops.quantization import dequantised, grid_of


class DequantizeLinear(Operator):
    """scale * (q - zero_point)"""

    name = "DequantizeLinear"
    since = 10
    attributes = frozenset({"axis"})

    def shapes(self, call: Call) -> tuple[Dims, ...]:
        return (call.dims(0),)

    def alias(self, call: Call) -> bool:
        if call.integral(0):
            raise call.refuse(
                "dequantises an input of the model",
                "Let the model take real numbers: remove this node, or start with QuantizeLinear.",
            )
        return True

    def grid(self, call: Call) -> Mapping[str, Grid]:
        return {} if call.is_constant(0) else {call.name(0): grid_of(call, 1, 2)}

    def fold(self, call: Call, values: Sequence[Array]) -> tuple[Array, ...] | None:
        return (dequantised(call, 0, 1, 2, int(call.attribute("axis", 1))).astype(np.float64),)
