# SPDX-License-Identifier: AGPL-3.0-or-later
"""Concat along an axis other than the batch. In integers: the operands share one grid; exact."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from circuits.errors import MalformedError
from circuits.ops.batch import Dims, show
from circuits.ops.forms import Form, Layout
from circuits.ops.operator import Array, Call, Operator


class Concat(Operator):
    """Tensors side by side."""

    name = "Concat"
    attributes = frozenset({"axis"})

    def shapes(self, call: Call) -> tuple[Dims, ...]:
        all_dims = [call.dims(i) for i in range(len(call.node.inputs))]
        constant = next((i for i in range(len(all_dims)) if call.is_constant(i)), None)
        if constant is not None:
            raise call.refuse(
                f"input {constant} is a constant", "A constant next to a computed tensor is not supported."
            )
        axis = call.axis(int(call.attribute("axis", 0)))
        first = all_dims[0]
        if any(len(d) != len(first) or d[:axis] + d[axis + 1 :] != first[:axis] + first[axis + 1 :] for d in all_dims):
            raise MalformedError("compile.onnx.malformed", f"{call.where}: {', '.join(map(show, all_dims))} do not fit")
        total = sum(d[axis] for d in all_dims if isinstance(d[axis], int))  # type: ignore[misc]
        return ((*first[:axis], total, *first[axis + 1 :]),)

    def form(self, call: Call) -> Form:
        axis = call.axis(int(call.attribute("axis", 0)))
        return Layout("concat", tuple(call.node.inputs), {"axis": axis - 1})

    def fold(self, call: Call, values: Sequence[Array]) -> tuple[Array, ...] | None:
        if any(v.dtype == object for v in values):
            values = [v.astype(object) for v in values]
        try:
            return (np.concatenate(values, axis=int(call.attribute("axis", 0))),)
        except ValueError as exc:
            raise MalformedError("compile.onnx.malformed", f"{call.where}: constants do not fit together") from exc
