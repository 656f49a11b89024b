# SPDX-License-Identifier: AGPL-3.0-or-later
"""The canonical program: every tensor that is computed, with its form, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from circuits.compiler.folding import Folded
from circuits.compiler.model import ModelInput
from circuits.compiler.univariate import fuse_univariate
from circuits.ops.forms import ArgMax, Form, Grid, Linear, Scaled, Shape, Softmax

_ONE = np.ones(())
PROBABILITY_BITS = 15


@dataclass(frozen=True)
class Program:
    """`forms` in an order in which they can be computed. `shapes` are per sample. `outputs`: public -> tensor."""

    inputs: Mapping[str, ModelInput]
    forms: Mapping[str, Form]
    shapes: Mapping[str, Shape]
    outputs: Mapping[str, str]
    grids: Mapping[str, Grid]
    integers: frozenset[str] = frozenset()
    """Tensors that hold machine integers: indices and integer inputs."""

    def uses(self) -> dict[str, int]:
        """How often each tensor is read, outputs of the program included."""
        count: dict[str, int] = {}
        for name in [n for f in self.forms.values() for n in f.inputs] + list(self.outputs.values()):
            count[name] = count.get(name, 0) + 1
        return count

    def readers(self) -> dict[str, list[str]]:
        """Tensor -> tensors computed from it."""
        found: dict[str, list[str]] = {}
        for output, form in self.forms.items():
            for name in dict.fromkeys(form.inputs):
                found.setdefault(name, []).append(output)
        return found

    def pruned(self) -> Program:
        """Without what no output needs."""
        live = set(self.outputs.values())
        for name in reversed(list(self.forms)):
            if name in live:
                live.update(self.forms[name].inputs)
        return replace(self, forms={n: f for n, f in self.forms.items() if n in live})


def program_of(folded: Folded, inputs: Mapping[str, ModelInput]) -> Program:
    """Forms of the steps, univariate subgraphs fused."""
    tables = fuse_univariate(folded)
    forms: dict[str, Form] = {}
    for step in folded.steps:
        window = step.operator.window(step.call)
        if step.output in tables:
            forms[step.output] = tables[step.output]
        elif window is not None:
            identity = Scaled(step.call.name(0), _ONE)
            forms[step.output] = Linear((identity,), clamp=window)
        else:
            forms[step.output] = step.operator.form(step.call)
    shapes = {n: cast(Shape, d[1:]) for n, d in folded.shapes.items() if n in forms or n in inputs}
    grids = {**folded.grids, **_own_grids(forms, shapes)}
    return Program(inputs, forms, shapes, folded.outputs, grids, folded.integers).pruned()


def _own_grids(forms: Mapping[str, Form], shapes: Mapping[str, Shape]) -> dict[str, Grid]:
    """Grids that follow from the form alone: probabilities in units of 2^-15, indices in units of one."""
    grids: dict[str, Grid] = {}
    for name, form in forms.items():
        if isinstance(form, Softmax):
            grids[name] = Grid(2.0**-PROBABILITY_BITS, 0, 1 << PROBABILITY_BITS)
        elif isinstance(form, ArgMax):
            grids[name] = Grid(1.0, 0, shapes[form.input][form.axis] - 1)
    return grids
