# SPDX-License-Identifier: AGPL-3.0-or-later
"""Clip: y = min(max(x, lo), hi), bounds as attributes (before opset 11) or constant inputs.

In integers: both clamps of the requantisation before it.
"""

from __future__ import annotations

from decimal import Decimal

from circuits.errors import MalformedError
from circuits.ops.elementwise import Elementwise
from circuits.ops.forms import Interval
from circuits.ops.operator import Call

_LARGEST = 3.4028234663852886e38  # the attribute form's default: the largest float32


class Clip(Elementwise):
    """min(max(x, lo), hi)"""

    name = "Clip"
    attributes = frozenset({"min", "max"})

    def scalar(self, call: Call, *args: Decimal) -> Decimal | None:
        lo, hi = self.window(call)
        return min(max(args[0], Decimal(lo)), Decimal(hi))

    def window(self, call: Call) -> Interval:
        if call.opset < 11:
            lo, hi = float(call.attribute("min", -_LARGEST)), float(call.attribute("max", _LARGEST))
        else:
            lo = call.scalar(1) if call.has(1) else -_LARGEST
            hi = call.scalar(2) if call.has(2) else _LARGEST
        if not lo <= hi:
            raise MalformedError("compile.onnx.malformed", f"{call.where}: min {lo} is above max {hi}")
        return (lo if lo > -_LARGEST else float("-inf"), hi if hi < _LARGEST else float("inf"))
