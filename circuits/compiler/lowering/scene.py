# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the lowering of a form works with: the circuit under construction, and the grid of every tensor so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from circuits import CircuitBuilder
from circuits.circuit import Tensor
from circuits.compiler.options import Options
from circuits.compiler.plan import Plan
from circuits.compiler.program import Program
from circuits.ops.forms import Grid, Interval, Softmax, Table

MAX_NAME = 200
"""UTF-8 bytes kept of an ONNX name; the rest, and collisions, become a number."""


@dataclass
class Scene:
    """Mutable state of one lowering."""

    program: Program
    plan: Plan
    options: Options
    builder: CircuitBuilder
    tensors: dict[str, int] = field(default_factory=dict)
    scales: dict[str, float] = field(default_factory=dict)
    offsets: dict[str, int] = field(default_factory=dict)
    """Integer added to a tensor that only tables read, to make it start at zero; the tables take it off again."""
    names: set[str] = field(default_factory=set)

    def unique(self, name: str) -> str:
        """A tensor name not used yet."""
        short = name.encode("utf-8", "replace")[:MAX_NAME].decode("utf-8", "ignore") or "tensor"
        made, count = short, 1
        while made in self.names:
            count += 1
            made = f"{short}~{count}"
        self.names.add(made)
        return made

    def gate(
        self,
        kind: str,
        name: str,
        inputs: Sequence[int],
        constants: Sequence[npt.ArrayLike] = (),
        **attributes: int | bool | Sequence[int],
    ) -> int:
        """A gate with its constants given as arrays; both get names from `name`."""
        made = self.unique(name)
        indices = [
            self.builder.constant(f"{made}#{k}", np.asarray(value, dtype=np.int64)) for k, value in enumerate(constants)
        ]
        return self.builder.gate(kind, made, inputs, indices, **attributes)

    def outside(self, name: str) -> bool:
        """Is the tensor an output, or what a Softmax makes an output of?"""
        readers = [f for f in self.program.forms.values() if name in f.inputs]
        return name in self.program.outputs.values() or any(isinstance(f, Softmax) for f in readers)

    def only_tables(self, name: str) -> bool:
        """Is the tensor read by tables alone?"""
        readers = [f for f in self.program.forms.values() if name in f.inputs]
        inside = name not in self.program.outputs.values()
        return inside and bool(readers) and all(isinstance(f, Table) for f in readers)

    def tensor(self, name: str) -> Tensor:
        """The circuit tensor of a program tensor."""
        return self.builder.tensor(self.tensors[name])

    def clamped(self, index: int, name: str, shifts: npt.NDArray[np.int64], lo: int, hi: int) -> int:
        """`clamp(x >> shifts, lo, hi)`; no gate where it would change nothing."""
        made = self.builder.tensor(index)
        if not shifts.any() and lo <= made.lo and made.hi <= hi:
            return index
        if (shifts == shifts[0]).all():
            shifts = shifts[:1]
        return self.gate("requant", name, [index], [shifts], lo=lo, hi=hi)


def clamp_on(grid: Grid, window: Interval) -> tuple[int, int]:
    """A real clamp as integers of the grid (never outside its own bounds)."""
    lo, hi = grid.lo, grid.hi
    if window[0] > lo * grid.scale:
        lo = min(int(np.floor(window[0] / grid.scale + 0.5)), grid.hi)
    if window[1] < hi * grid.scale:
        hi = max(int(np.floor(window[1] / grid.scale + 0.5)), lo)
    return lo, hi
