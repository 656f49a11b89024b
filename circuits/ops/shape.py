# SPDX-License-Identifier: AGPL-3.0-or-later
"""Shape: the shape of a tensor, with the batch as a symbol. Known at compile time, so never part of a circuit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from circuits.ops.batch import Dims
from circuits.ops.operator import Array, Call, Operator


class Shape(Operator):
    """A constant."""

    name = "Shape"
    attributes = frozenset({"start", "end"})

    def shapes(self, call: Call) -> tuple[Dims, ...]:
        return ((len(self.partial(call)),),)

    def partial(self, call: Call) -> Array:
        start, end = call.attribute("start", 0), call.attribute("end", None)
        out = np.empty(len(call.dims()[start:end]), dtype=object)
        out[:] = call.dims()[start:end]
        return out

    def fold(self, call: Call, values: Sequence[Array]) -> tuple[Array, ...] | None:
        return (self.partial(call),)
