# SPDX-License-Identifier: AGPL-3.0-or-later
"""Cast: of constants, any numeric type; of tensors, between floating types and from integers (the same numbers).

In integers: nothing at all, since a grid has no machine type. Casting a real-valued tensor to an integer type would
truncate, and is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from circuits.ops.batch import Dims
from circuits.ops.forms import Form, Linear, Scaled
from circuits.ops.operator import Array, Call, Operator

TYPES = {
    1: np.float32,
    2: np.uint8,
    3: np.int8,
    5: np.int16,
    6: np.int32,
    7: np.int64,
    9: np.bool_,
    10: np.float16,
    11: np.float64,
    4: np.uint16,
    12: np.uint32,
    13: np.uint64,
}
"""onnx.TensorProto.DataType codes (onnx.proto3, message TensorProto)."""


class Cast(Operator):
    """x"""

    name = "Cast"
    attributes = frozenset({"to", "saturate", "round_mode"})

    def shapes(self, call: Call) -> tuple[Dims, ...]:
        return (call.dims(0),)

    def target(self, call: Call) -> np.dtype[np.generic]:
        """The numpy type it casts to."""
        code = call.attribute("to", 0)
        if code not in TYPES:
            raise call.refuse(f"cast to ONNX type {code}")
        return np.dtype(TYPES[code])

    def alias(self, call: Call) -> bool:
        target = self.target(call)
        if target.kind == "f" or (call.integral(0) and target.itemsize >= 4):
            return True
        raise call.refuse(f"casts a computed tensor to {target}", "Only casts to a floating type are supported.")

    def form(self, call: Call) -> Form:
        """Integers read as reals: the same numbers."""
        return Linear((Scaled(call.name(0), np.ones(())),))

    def fold(self, call: Call, values: Sequence[Array]) -> tuple[Array, ...] | None:
        target = self.target(call)
        if values[0].dtype == object:  # a shape with the batch in it: exact integers of any width
            if target.kind not in "iu":
                raise call.refuse("casts a shape that depends on the batch size to a non-integer type")
            return (values[0],)
        return (values[0].astype(target),)
