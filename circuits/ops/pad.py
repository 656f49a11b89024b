# SPDX-License-Identifier: AGPL-3.0-or-later
"""Pad with a constant value. In integers: zeros join the convolution that follows; otherwise a pad gate."""

from __future__ import annotations

from circuits.errors import MalformedError
from circuits.ops.batch import BATCH, Dims
from circuits.ops.forms import Form, Layout, Shape
from circuits.ops.operator import Call, Operator


class Pad(Operator):
    """A border of one value."""

    name = "Pad"
    attributes = frozenset({"mode", "pads", "value"})

    def shapes(self, call: Call) -> tuple[Dims, ...]:
        if call.attribute("mode", "constant") != "constant":
            raise call.refuse(f"mode {call.attribute('mode', '')!r}", "Only constant padding is supported.")
        shape, pads = call.sample(0), self._pads(call)
        n = len(shape)
        out = tuple(shape[i] + pads[i] + pads[n + i] for i in range(n))
        if min(out, default=1) < 1:
            raise MalformedError("compile.onnx.malformed", f"{call.where}: nothing is left of {shape}")
        return ((BATCH, *out),)

    def form(self, call: Call) -> Form:
        if call.opset < 11:
            value = float(call.attribute("value", 0.0))
        else:
            value = call.scalar(2) if call.has(2) else 0.0
        return Layout("pad", (call.name(0),), {"pads": self._pads(call), "value": value})

    def _pads(self, call: Call) -> Shape:
        """Per-sample pads: begins, then ends."""
        rank = len(call.dims(0))
        given = call.integers("pads", ()) if call.opset < 11 else tuple(call.constant(1).reshape(-1).tolist())
        axes = [int(a) for a in call.constant(3).reshape(-1)] if call.has(3) else list(range(rank))
        if len(given) != 2 * len(axes) or any(not -rank <= a < rank for a in axes):
            raise MalformedError("compile.onnx.malformed", f"{call.where}: {len(given)} pads for {len(axes)} axes")
        pads = [0] * (2 * rank)
        for k, axis in enumerate(axes):
            pads[axis % rank], pads[rank + axis % rank] = int(given[k]), int(given[len(axes) + k])
        if pads[0] or pads[rank]:
            raise call.refuse("pads the batch axis")
        if min(pads) < 0:
            raise call.refuse("negative pads (cropping)")
        return tuple(pads[1:rank] + pads[rank + 1 :])
