# SPDX-License-Identifier: AGPL-3.0-or-later
"""BatchNormalization at inference: one factor and one addend per channel.

In integers: folded into the convolution or matrix product before it; stand-alone, an affine gate and one requant.
"""

from __future__ import annotations

import numpy as np

from circuits.errors import MalformedError
from circuits.ops.batch import Dims
from circuits.ops.forms import Form, Linear, Scaled
from circuits.ops.operator import Call, Operator


class BatchNormalization(Operator):
    """scale * (x - mean) / sqrt(var + epsilon) + b, per channel (axis 1)"""

    name = "BatchNormalization"
    attributes = frozenset({"epsilon", "momentum", "spatial", "training_mode"})

    def shapes(self, call: Call) -> tuple[Dims, ...]:
        if call.attribute("training_mode", 0) or (len(call.node.outputs) > 1 and any(call.node.outputs[1:])):
            raise call.refuse("training mode", "Export the model for inference (eval mode).")
        if not call.attribute("spatial", 1):
            raise call.refuse("spatial=0")
        shape = call.sample(0)
        if not shape or any(call.dims(i) != shape[:1] for i in range(1, 5)):
            raise MalformedError("compile.onnx.malformed", f"{call.where}: parameters do not match the channels")
        return (call.dims(0),)

    def form(self, call: Call) -> Form:
        scale, bias, mean, variance = (call.reals(i) for i in range(1, 5))
        spread = variance + float(call.attribute("epsilon", 1e-5))
        if (spread <= 0.0).any():
            raise MalformedError("compile.weights.not-finite", f"{call.where}: a variance is not positive")
        factor = scale / np.sqrt(spread)
        column = (-1,) + (1,) * (len(call.sample(0)) - 1)
        return Linear((Scaled(call.name(0), factor.reshape(column)),), (bias - mean * factor).reshape(column))
