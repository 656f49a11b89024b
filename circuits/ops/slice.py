# SPDX-License-Identifier: AGPL-3.0-or-later
"""Slice: only of values known at compile time (a piece of a shape)."""

from __future__ import annotations

from collections.abc import Sequence

from circuits.errors import MalformedError
from circuits.ops.batch import Dims
from circuits.ops.operator import Array, Call, Operator


class Slice(Operator):
    """A constant."""

    name = "Slice"
    attributes = frozenset({"axes", "ends", "starts"})  # before opset 10; inputs since

    def shapes(self, call: Call) -> tuple[Dims, ...]:
        raise call.refuse(
            "cuts a tensor that is computed from the input",
            "Slice is supported only inside shape computations.",
        )

    def fold(self, call: Call, values: Sequence[Array]) -> tuple[Array, ...] | None:
        data = values[0]
        if call.opset < 10:
            starts, ends = call.integers("starts", ()), call.integers("ends", ())
            axes, steps = call.integers("axes", range(len(starts))), (1,) * len(starts)
        else:
            present = {i: call.constant(i).reshape(-1).tolist() for i in range(1, 5) if call.has(i)}
            starts, ends = tuple(present[1]), tuple(present[2])
            axes = tuple(present.get(3, range(len(starts))))
            steps = tuple(present.get(4, (1,) * len(starts)))
        cut = [slice(None)] * data.ndim
        try:
            for axis, lo, hi, step in zip(axes, starts, ends, steps, strict=True):
                cut[axis] = slice(lo, hi if step > 0 or hi > -(2**31) else None, step)
            return (data[tuple(cut)],)
        except (IndexError, ValueError, TypeError) as exc:
            raise MalformedError("compile.onnx.malformed", f"{call.where}: axes outside the tensor") from exc
