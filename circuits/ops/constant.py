# SPDX-License-Identifier: AGPL-3.0-or-later
"""Constant: a value of the model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from circuits.ops.batch import Dims
from circuits.ops.operator import Array, Call, Operator


class Constant(Operator):
    """A tensor, a number or a list of numbers."""

    name = "Constant"
    attributes = frozenset({"value", "value_float", "value_floats", "value_int", "value_ints"})

    def shapes(self, call: Call) -> tuple[Dims, ...]:
        return (self._value(call).shape,)

    def fold(self, call: Call, values: Sequence[Array]) -> tuple[Array, ...] | None:
        return (self._value(call),)

    def _value(self, call: Call) -> Array:
        for key, value in call.node.attributes.items():
            return np.asarray(value, dtype=np.float32 if "float" in key else np.int64 if "int" in key else None)
        raise call.refuse("has no value")
