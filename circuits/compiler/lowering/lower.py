# SPDX-License-Identifier: AGPL-3.0-or-later
"""The lowering pass: inputs, then every form in order, then outputs."""

from __future__ import annotations

from collections.abc import Mapping

from circuits import CircuitBuilder
from circuits.compiler.lowering.arrangement import lower_arg_max, lower_layout, lower_pool
from circuits.compiler.lowering.linear import lower_linear
from circuits.compiler.lowering.product import lower_product
from circuits.compiler.lowering.scene import Scene
from circuits.compiler.lowering.softmax import lower_softmax
from circuits.compiler.lowering.table import lower_table
from circuits.compiler.options import Options, Progress
from circuits.compiler.plan import Plan
from circuits.compiler.program import Program
from circuits.ops.forms import ArgMax, Form, Layout, Linear, Pool, Product, Softmax, Table


def lower(program: Program, plan: Plan, options: Options, source: Mapping[str, object], progress: Progress) -> Scene:
    """The circuit in its builder, complete but for its quality, with tensor and scale of every program tensor."""
    scene = Scene(program, plan, options, CircuitBuilder(source=source))
    for name, port in program.inputs.items():
        grid, (lo, hi) = plan.grids[name], plan.accepted[name]
        scene.names.add(name)
        scene.tensors[name] = scene.builder.input(
            name,
            program.shapes[name],
            grid.lo,
            grid.hi,
            dtype=port.dtype,
            scale=grid.scale,
            real_lo=lo,
            real_hi=hi,
        )
        scene.scales[name] = grid.scale
    for done, (name, form) in enumerate(program.forms.items()):
        scene.tensors[name], scene.scales[name] = _lower(scene, name, form)
        progress("lower", done + 1, len(program.forms))
    if not scene.builder.gates:
        _copy_outputs(scene)
    for public, name in program.outputs.items():
        integral = name in program.integers
        scene.builder.output(
            public, scene.tensors[name], dtype="int64" if integral else "float32", scale=scene.scales[name]
        )
    return scene


def _lower(scene: Scene, name: str, form: Form) -> tuple[int, float]:
    match form:
        case Linear():
            return lower_linear(scene, name, form)
        case Table():
            return lower_table(scene, name, form)
        case Product():
            return lower_product(scene, name, form)
        case Layout():
            return lower_layout(scene, name, form)
        case Pool():
            return lower_pool(scene, name, form)
        case Softmax():
            return lower_softmax(scene, name, form)
        case ArgMax():
            return lower_arg_max(scene, name, form)


def _copy_outputs(scene: Scene) -> None:
    """A model that changes nothing: a circuit needs a gate, so its outputs are clamps that never bind."""
    for name in dict.fromkeys(scene.program.outputs.values()):
        tensor = scene.tensor(name)
        scene.tensors[name] = scene.gate("requant", name, [scene.tensors[name]], [[0]], lo=tensor.lo, hi=tensor.hi)
