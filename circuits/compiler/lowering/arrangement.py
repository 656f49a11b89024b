# SPDX-License-Identifier: AGPL-3.0-or-later
"""Layout, Pool, ArgMax: exact gates on shared grids. Operands on another grid are brought to it first."""

from __future__ import annotations

import numpy as np

from circuits.compiler.lowering.linear import lower_linear
from circuits.compiler.lowering.scene import Scene
from circuits.ops.forms import ArgMax, Grid, Layout, Linear, Pool, Scaled


def lower_layout(scene: Scene, name: str, form: Layout) -> tuple[int, float]:
    """Tensor index and scale of the result."""
    grid = scene.plan.grids[name]
    operands = [_on_grid(scene, source, grid, f"{name}/{source}") for source in form.sources]
    attributes = dict(form.attributes)
    if form.kind == "pad":
        value = round(attributes["value"] / grid.scale)
        attributes["value"] = int(min(max(value, grid.lo), grid.hi))
    return scene.gate(form.kind, name, operands, **attributes), grid.scale


def lower_pool(scene: Scene, name: str, form: Pool) -> tuple[int, float]:
    """Tensor index and scale of the result."""
    grid = scene.plan.grids[name]
    x = _on_grid(scene, form.input, grid, f"{name}/{form.input}")
    made = scene.gate(
        "max_pool",
        name,
        [x],
        kernel=form.kernel,
        strides=form.strides,
        pads=form.pads,
        dilations=form.dilations,
    )
    return made, grid.scale


def lower_arg_max(scene: Scene, name: str, form: ArgMax) -> tuple[int, float]:
    """Tensor index of the result, in units of one."""
    made = scene.gate(
        "arg_max",
        name,
        [scene.tensors[form.input]],
        axis=form.axis,
        keepdims=form.keepdims,
        select_last_index=form.select_last_index,
    )
    return made, 1.0


def _on_grid(scene: Scene, source: str, grid: Grid, name: str) -> int:
    """The tensor itself, or a requantised copy when its scale is another (two dictated grids meet)."""
    if scene.scales[source] == grid.scale:
        return scene.tensors[source]
    scene.program.shapes[name] = scene.program.shapes[source]  # type: ignore[index]
    return lower_linear(scene, name, Linear((Scaled(source, np.ones(())),)))[0]
