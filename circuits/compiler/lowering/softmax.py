# SPDX-License-Identifier: AGPL-3.0-or-later
"""Softmax: e = round(2^15 * exp(-scale * d)) by table, d = max - x; the gate divides by the sum, exactly."""

from __future__ import annotations

import math
from decimal import Decimal

from circuits.compiler.lowering.scene import Scene
from circuits.compiler.lowering.table import tabulate
from circuits.compiler.program import PROBABILITY_BITS
from circuits.ops.forms import Grid, Softmax

MAX_ENTRIES = 1 << 16


def lower_softmax(scene: Scene, name: str, form: Softmax) -> tuple[int, float]:
    """Tensor index and scale (2^-15) of the result."""
    x, index = scene.tensor(form.input), scene.tensors[form.input]
    unit = Grid(2.0**-PROBABILITY_BITS, 0, 1 << PROBABILITY_BITS)
    # Entries from the first zero on are all zero: the gate repeats the last one.
    scale = scene.scales[form.input]
    length = min(math.ceil(12.0 / scale) + 2, x.hi - x.lo + 1, MAX_ENTRIES)
    entries = tabulate(_decay, scale, 0, length - 1, unit)
    axis, shape = form.axis, x.shape
    if form.flatten:
        axis = len(shape) - form.flatten
        flat = (*shape[:axis], math.prod(shape[axis:]))
        index = scene.gate("reshape", f"{name}/flat", [index], shape=flat)
    made = scene.gate(
        "softmax", f"{name}/flat" if form.flatten else name, [index], [entries], axis=axis, P=PROBABILITY_BITS
    )
    if form.flatten:
        made = scene.gate("reshape", name, [made], shape=shape)
    return made, unit.scale


def _decay(x: Decimal) -> Decimal:
    return (-x).exp()
