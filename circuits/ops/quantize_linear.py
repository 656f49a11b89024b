# SPDX-License-Identifier: AGPL-3.0-or-later
"""QuantizeLinear: rounds to a stated grid. In integers: dictates the grid of the requantisation that is there anyway.

Rounding here is half up, ONNX's is half to even; the two differ only on exact halves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from circuits.ops.batch import Dims
from circuits.ops.forms import Form, Grid, Linear, Scaled
from circuits.ops.operator import Array, Call, Operator
from circuits.ops.quantization import grid_of


class QuantizeLinear(Operator):
    """clamp(round(x / scale) + zero_point)"""

    name = "QuantizeLinear"
    since = 10
    attributes = frozenset({"axis", "saturate"})

    def shapes(self, call: Call) -> tuple[Dims, ...]:
        return (call.dims(0),)

    def form(self, call: Call) -> Form:
        return Linear((Scaled(call.name(0), np.ones(())),))

    def grid(self, call: Call) -> Mapping[str, Grid]:
        return {call.node.output: grid_of(call, 1, 2)}

    def fold(self, call: Call, values: Sequence[Array]) -> tuple[Array, ...] | None:
        grid = grid_of(call, 1, 2)
        dtype = values[2].dtype if call.has(2) else np.dtype(np.uint8)
        zero = int(np.iinfo(dtype).min) - grid.lo
        q = np.rint(np.asarray(values[0], dtype=np.float32) / np.float32(grid.scale))
        return (np.asarray(np.clip(q, grid.lo, grid.hi) + zero).astype(dtype),)
