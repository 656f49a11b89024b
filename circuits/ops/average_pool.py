# SPDX-License-Identifier: AGPL-3.0-or-later
"""AveragePool: the mean over a window, padding counted or not.

In integers: a depthwise conv whose weights are all the same integer, so the division is part of the scale; where the
divisor differs from place to place, sums of ones and a position-wise factor; over the whole tensor, reduce_sum.
"""

from __future__ import annotations

import numpy as np

from circuits.ops.batch import BATCH, Dims
from circuits.ops.forms import Convolved, Form, Linear, Summed
from circuits.ops.operator import Call, Operator
from circuits.ops.window import Window, window


class AveragePool(Operator):
    """mean over a window"""

    name = "AveragePool"
    attributes = frozenset(
        {"auto_pad", "ceil_mode", "count_include_pad", "dilations", "kernel_shape", "pads", "strides"}
    )

    def shapes(self, call: Call) -> tuple[Dims, ...]:
        made = self._window(call)
        if (made.counts(bool(call.attribute("count_include_pad", 0))) == 0).any():
            raise call.refuse("a window lies wholly in the padding")
        return ((BATCH, call.sample(0)[0], *made.output),)

    def form(self, call: Call) -> Form:
        made, channels = self._window(call), call.sample(0)[0]
        counts = made.counts(bool(call.attribute("count_include_pad", 0)))
        if made.kernel == made.size and not any(made.padding) and set(made.dilations) == {1}:
            axes = tuple(range(1, 1 + len(made.size)))
            return Linear((Summed(call.name(0), axes, True, np.array(1.0 / counts.reshape(-1)[0])),))
        uniform = bool((counts == counts.reshape(-1)[0]).all())
        weight = np.ones((channels, 1, *made.kernel))
        if uniform:
            weight = weight / counts.reshape(-1)[0]
        factor = None if uniform else 1.0 / counts[None].astype(np.float64)
        term = Convolved(call.name(0), weight, made.strides, made.padding, made.dilations, channels, factor)
        return Linear((term,))

    def _window(self, call: Call) -> Window:
        return window(call, call.integers("kernel_shape", ()), ceil_allowed=True)
