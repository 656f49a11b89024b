# SPDX-License-Identifier: AGPL-3.0-or-later
"""ConstantOfShape: a constant tensor of a given shape, which must be known at compile time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from circuits.ops.batch import Dims
from circuits.ops.elementwise import MAX_FOLDED
from circuits.ops.operator import Array, Call, Operator


class ConstantOfShape(Operator):
    """A constant."""

    name = "ConstantOfShape"
    since = 9
    attributes = frozenset({"value"})

    def shapes(self, call: Call) -> tuple[Dims, ...]:
        return (tuple(call.constant(0).tolist()),)

    def fold(self, call: Call, values: Sequence[Array]) -> tuple[Array, ...] | None:
        shape = values[0].tolist()
        if not all(isinstance(d, int) and 0 <= d <= MAX_FOLDED for d in shape) or int(np.prod(shape)) > MAX_FOLDED:
            raise call.refuse(f"makes a tensor of shape {shape}, which is not a small constant")
        value = np.asarray(call.attribute("value", np.zeros(1, dtype=np.float32)))
        return (np.full(shape, value.reshape(-1)[0], dtype=value.dtype),)
