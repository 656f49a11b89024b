# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sliding windows: ONNX's ways to state pads, made explicit.

Sources: ONNX operator specifications of Conv, MaxPool and AveragePool (auto_pad, ceil_mode, pads).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from circuits.errors import MalformedError
from circuits.ops.forms import Shape
from circuits.ops.operator import Call

MAX_EXTENT = 1 << 16
"""Largest kernel, stride, dilation or pad along one axis."""


@dataclass(frozen=True)
class Window:
    """A window over the spatial axes of one tensor. `pads` in ONNX order; `extra` is what ceil_mode adds at the end."""

    size: Shape
    kernel: Shape
    strides: Shape
    dilations: Shape
    pads: Shape
    extra: Shape

    @property
    def output(self) -> Shape:
        """Spatial shape of the result."""
        n = len(self.size)
        return tuple(
            (self.size[i] + self.pads[i] + self.pads[n + i] + self.extra[i] - self._span(i)) // self.strides[i] + 1
            for i in range(n)
        )

    @property
    def padding(self) -> Shape:
        """Pads in ONNX order with ceil_mode's extra included."""
        n = len(self.size)
        return self.pads[:n] + tuple(self.pads[n + i] + self.extra[i] for i in range(n))

    def counts(self, include_pads: bool) -> npt.NDArray[np.int64]:
        """How many positions each window holds: inside the tensor, or inside tensor and pads (never ceil_mode's)."""
        n, out = len(self.size), np.ones((), dtype=np.int64)
        for i, length in enumerate(self.output):
            lo, hi = (-self.pads[i], self.size[i] + self.pads[n + i]) if include_pads else (0, self.size[i])
            starts = np.arange(length)[:, None] * self.strides[i] - self.pads[i]
            at = starts + np.arange(self.kernel[i])[None, :] * self.dilations[i]
            out = np.multiply.outer(out, ((at >= lo) & (at < hi)).sum(axis=1))
        return out

    def _span(self, i: int) -> int:
        return (self.kernel[i] - 1) * self.dilations[i] + 1


def window(call: Call, kernel: Shape, *, ceil_allowed: bool = False) -> Window:
    """The window of a node over input 0, with auto_pad and ceil_mode resolved."""
    size = call.sample(0)[1:]
    n = len(size)
    if n not in (1, 2):
        raise call.refuse(f"{n} spatial axes", "One and two spatial axes are supported.")
    strides, dilations = call.integers("strides", (1,) * n), call.integers("dilations", (1,) * n)
    stated = call.integers("pads", (0,) * 2 * n)
    if (len(kernel), len(strides), len(dilations), len(stated)) != (n, n, n, 2 * n):
        raise MalformedError(
            "compile.onnx.malformed",
            f"{call.where}: kernel, strides, dilations or pads do not have {n} spatial axes",
        )
    if min(kernel + strides + dilations, default=1) < 1 or min(stated, default=0) < 0:
        raise MalformedError(
            "compile.onnx.malformed", f"{call.where}: kernel, stride or dilation below 1, or a pad below 0"
        )
    if max(kernel + strides + dilations + stated, default=0) > MAX_EXTENT:
        raise MalformedError(
            "compile.onnx.malformed", f"{call.where}: kernel, stride, dilation or pad above {MAX_EXTENT}"
        )
    pads = _pads(call, size, kernel, strides, dilations, stated)
    made = Window(size, kernel, strides, dilations, pads, (0,) * n)
    if call.attribute("ceil_mode", 0):
        if not ceil_allowed:
            raise call.refuse("ceil_mode")
        made = Window(size, kernel, strides, dilations, pads, _ceil(made))
    if min(made.output, default=1) < 1:
        raise MalformedError("compile.onnx.malformed", f"{call.where}: the window is larger than the padded input")
    return made


def _pads(call: Call, size: Shape, kernel: Shape, strides: Shape, dilations: Shape, stated: Shape) -> Shape:
    auto = call.attribute("auto_pad", "NOTSET")
    if auto == "NOTSET":
        return stated
    if auto == "VALID":
        return (0,) * len(stated)
    if auto not in ("SAME_UPPER", "SAME_LOWER"):
        raise call.refuse(f"auto_pad {auto!r}")
    if max(dilations) > 1:  # the standard and the runtimes disagree on what SAME means then
        raise call.refuse(f"auto_pad {auto} with dilations", "State the pads explicitly.")
    begins, ends = [], []
    for n, k, s, d in zip(size, kernel, strides, dilations, strict=True):
        total = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
        small, large = total // 2, total - total // 2
        begins.append(small if auto == "SAME_UPPER" else large)
        ends.append(large if auto == "SAME_UPPER" else small)
    return tuple(begins + ends)


def _ceil(made: Window) -> Shape:
    """Padding at the end that makes the last, partial window whole; a window that starts in it is dropped."""
    n, extra = len(made.size), []
    for i in range(n):
        span = (made.kernel[i] - 1) * made.dilations[i] + 1
        room = made.size[i] + made.pads[i] + made.pads[n + i] - span
        steps = -(-room // made.strides[i])
        if steps * made.strides[i] >= made.size[i] + made.pads[i]:
            steps -= 1
        extra.append(max(steps * made.strides[i] - room, 0))
    return tuple(extra)
