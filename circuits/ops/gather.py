# SPDX-License-Identifier: AGPL-3.0-or-later
"""Gather: only of values known at compile time (one dimension out of a shape)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from circuits.errors import MalformedError
from circuits.ops.batch import Dims
from circuits.ops.operator import Array, Call, Operator


class Gather(Operator):
    """A constant."""

    name = "Gather"
    attributes = frozenset({"axis"})

    def shapes(self, call: Call) -> tuple[Dims, ...]:
        raise call.refuse(
            "picks elements of a tensor that is computed from the input",
            "Gather is supported only inside shape computations.",
        )

    def fold(self, call: Call, values: Sequence[Array]) -> tuple[Array, ...] | None:
        data, indices = values
        try:
            return (np.asarray(np.take(data, indices.astype(np.int64), axis=call.attribute("axis", 0)), data.dtype),)
        except (IndexError, ValueError, TypeError) as exc:
            raise MalformedError("compile.onnx.malformed", f"{call.where}: index outside the tensor") from exc
