# SPDX-License-Identifier: AGPL-3.0-or-later
"""Table: one entry per integer of the input's grid.

Entries are computed with `decimal` (correctly rounded software arithmetic, 40 digits) and rounded half up, so they
are the same on every machine: no floating-point library takes part.
"""

from __future__ import annotations

import decimal
from decimal import Decimal

import numpy as np

from circuits.compiler.lowering.scene import Scene
from circuits.compiler.weights import Ints
from circuits.errors import MalformedError
from circuits.ops.forms import Grid, ScalarFunction, Table

DIGITS = 40
_HALF = Decimal("0.5")


def lower_table(scene: Scene, name: str, form: Table) -> tuple[int, float]:
    """Tensor index and scale of the result."""
    x, grid = scene.tensor(form.input), scene.plan.grids[name]
    offset = scene.offsets.get(form.input, 0)
    entries = tabulate(form.function, scene.scales[form.input], x.lo - offset, x.hi - offset, grid)
    return scene.gate("table", name, [scene.tensors[form.input]], [entries]), grid.scale


def tabulate(function: ScalarFunction, scale: float, lo: int, hi: int, grid: Grid) -> Ints:
    """round(function(scale * q) / grid.scale) for q = lo..hi, clamped to the grid."""
    step, unit = Decimal(scale), Decimal(grid.scale)
    entries = []
    with decimal.localcontext(decimal.Context(prec=DIGITS, rounding=decimal.ROUND_HALF_EVEN)):
        for q in range(lo, hi + 1):
            try:
                entry = (function(step * q) / unit + _HALF).to_integral_value(decimal.ROUND_FLOOR)
            except decimal.DecimalException as exc:
                raise MalformedError(
                    "compile.table.undefined", f"an elementwise function has no value at {scale * q:g}"
                ) from exc
            entries.append(int(min(max(entry, Decimal(grid.lo)), Decimal(grid.hi))))
    return np.array(entries, dtype=np.int64)
