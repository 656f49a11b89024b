# SPDX-License-Identifier: AGPL-3.0-or-later
"""Product: exact multiplication of two tensors, then one factor (a power of two where the plan could) and a shift."""

from __future__ import annotations

import math

import numpy as np

from circuits.compiler.lowering.scene import Scene, clamp_on
from circuits.compiler.weights import Part, choose_shifts, halves, rounded
from circuits.ops.forms import Product


def lower_product(scene: Scene, name: str, form: Product) -> tuple[int, float]:
    """Tensor index and scale of the result."""
    kind = "matmul" if form.matrix else "mul"
    index = scene.gate(kind, f"{name}/product", [scene.tensors[form.left], scene.tensors[form.right]])
    grid = scene.plan.grids[name]
    ratio = scene.scales[form.left] * scene.scales[form.right] / grid.scale
    made = scene.builder.tensor(index)
    part = Part(np.array([[ratio]]), made.lo, made.hi, summed=False)
    shifts = choose_shifts([part], np.zeros((1, 1)), scene.options.weight_bits, per_channel=False, noise=math.inf)
    factor, half = rounded(np.array(ratio), shifts[0]), halves(shifts)[0]
    if factor != 1 or half != 0:
        index = scene.gate("affine", f"{name}/scaled", [index], [factor, half])
    return scene.clamped(index, name, shifts, *clamp_on(grid, form.clamp)), grid.scale
