# SPDX-License-Identifier: AGPL-3.0-or-later
"""Circuit -> ONNX. Imports onnx; nothing on the verifying side imports this package.

Each tensor lives in float32 while its integers, and every partial sum on the way to them, stay below 2^24,
and in float64 below 2^53: there, additions and products of integers are exact in any order, so no
optimisation, thread count or batch size can change a bit. Powers of two are free::

    requant(conv(x, W) + b, s)   ->   Floor(Clip(Conv(x, W * 2^-s, b * 2^-s), lo, hi))

so values travel in units of 2^-e (`value`), chosen from what their readers want (`demand`). A convolution too
wide for float32 is cut into limbs (circuits.gates.limbs). Optimisers fold multiplications and additions into
the convolution before them; `Value.reach` follows the partial sums this could create, and `Job.barrier` stops
it where they would not be exact.

Modules: `model` (the pass), `job` (what a gate's `emit` works with), `value`, `demand`, `writer` (onnx).
"""

from circuits.emission.model import Emission, to_onnx
from circuits.emission.value import Recovery

__all__ = ["Emission", "Recovery", "to_onnx"]
