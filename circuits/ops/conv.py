# SPDX-License-Identifier: AGPL-3.0-or-later
"""Conv: cross-correlation with constant weights; 1 or 2 spatial axes, groups, strides, dilations, pads, auto_pad.

In integers: one conv gate whose weights carry the scales, and one requant. Padding is the integer zero, which stands
for the real zero on every grid.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from circuits.errors import MalformedError
from circuits.ops.batch import BATCH, Dims
from circuits.ops.forms import Convolved, Form, Linear
from circuits.ops.operator import Call, Operator
from circuits.ops.window import window


class Conv(Operator):
    """W * x + b"""

    name = "Conv"
    attributes = frozenset({"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"})

    def shapes(self, call: Call) -> tuple[Dims, ...]:
        return convolution_shape(call, call.dims(1))

    def form(self, call: Call) -> Form:
        return convolution(call, call.reals(1), call.reals(2) if call.has(2) else None)


def convolution_shape(call: Call, weight: Dims) -> tuple[Dims, ...]:
    """Output shape of a convolution of input 0 with weights `[M, C/groups, *kernel]`."""
    channels, *_ = call.sample(0) or (0,)
    groups = int(call.attribute("group", 1))
    kernel = tuple(int(k) for k in weight[2:] if isinstance(k, int))
    outputs, fan = weight[0], weight[1]
    stated = call.integers("kernel_shape", kernel)
    if (
        groups < 1
        or not isinstance(outputs, int)
        or not isinstance(fan, int)
        or fan * groups != channels
        or outputs < 1
        or outputs % groups
        or stated != kernel
    ):
        raise MalformedError(
            "compile.onnx.malformed",
            f"{call.where}: weights {weight} with {groups} groups do not fit"
            f" an input of {channels} channels, or kernel_shape {stated}",
        )
    return ((BATCH, outputs, *window(call, kernel).output),)


def convolution(call: Call, weight: npt.NDArray[np.float64], bias: npt.NDArray[np.float64] | None) -> Linear:
    """The linear form of a convolution of input 0."""
    made = window(call, weight.shape[2:])
    term = Convolved(call.name(0), weight, made.strides, made.pads, made.dilations, int(call.attribute("group", 1)))
    shift = np.zeros(()) if bias is None else bias.reshape((-1,) + (1,) * len(made.kernel))
    return Linear((term,), shift)
