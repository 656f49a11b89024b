# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reading scales and zero points of quantised operators.

A tensor of a quantised model holds q with real = scale * (q - zero_point), qmin <= q <= qmax. Here the integer is
q - zero_point on the same scale, so zero stands for zero and nothing needs calibration.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from circuits.errors import MalformedError
from circuits.ops.forms import Grid
from circuits.ops.operator import Call


def grid_of(call: Call, scale: int, zero_point: int) -> Grid:
    """The grid that per-tensor inputs `scale` and `zero_point` (indices) state."""
    step = call.scalar(scale)
    if not step > 0.0:
        raise MalformedError("compile.onnx.malformed", f"{call.where}: scale {step} is not positive")
    if call.has(zero_point):
        value = call.constant(zero_point)
        if value.dtype not in (
            np.dtype(np.uint8),
            np.dtype(np.int8),
            np.dtype(np.uint16),
            np.dtype(np.int16),
        ):
            raise call.refuse(f"zero point of type {value.dtype}", "8- and 16-bit quantisation is supported.")
        info, zero = np.iinfo(value.dtype), int(call.scalar(zero_point))
    else:
        info, zero = np.iinfo(np.uint8), 0
    return Grid(step, int(info.min) - zero, int(info.max) - zero)


def dequantised(call: Call, data: int, scale: int, zero_point: int, axis: int) -> npt.NDArray[np.float64]:
    """A constant quantised tensor as reals; scale and zero point per tensor or along `axis`."""
    value, step = call.reals(data), call.reals(scale)
    zero = call.reals(zero_point) if call.has(zero_point) else np.zeros(())
    shape = [1] * value.ndim
    for parameter in (step, zero):
        if parameter.size > 1:
            if not -value.ndim <= axis < value.ndim or parameter.shape != (value.shape[axis],):
                raise call.refuse(
                    f"scale or zero point of shape {list(parameter.shape)}",
                    "Per tensor and per axis are supported.",
                )
            shape[axis] = parameter.size
    out: npt.NDArray[np.float64] = (value - (zero.reshape(shape) if zero.size > 1 else zero.reshape(-1)[:1])) * (
        step.reshape(shape) if step.size > 1 else step.reshape(-1)[:1]
    )
    return out.reshape(value.shape)
