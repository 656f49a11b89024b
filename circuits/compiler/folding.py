# SPDX-License-Identifier: AGPL-3.0-or-later
"""Partial evaluation: shapes forward, constants folded, identities removed, with the batch size as a symbol.

What remains are the nodes that compute on samples, each with known shapes and known constant operands.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from circuits.compiler.model import Model
from circuits.errors import MalformedError, UnsupportedError
from circuits.limits import MAX_ELEMENTS
from circuits.ops import Call, Node, Operator, operator
from circuits.ops.batch import BATCH, Dims, show
from circuits.ops.forms import Grid, Shape
from circuits.ops.operator import Array

INTEGER_SAFE = frozenset({"Cast", "Concat", "Flatten", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})
"""Operators that mean the same on machine integers; arithmetic on those would truncate and wrap."""


@dataclass(frozen=True)
class Step:
    """A node that computes on samples."""

    operator: Operator
    call: Call

    @property
    def output(self) -> str:
        return self.call.node.output


@dataclass(frozen=True)
class Folded:
    """The sample-computing part of a model. `outputs`: public name -> tensor."""

    steps: tuple[Step, ...]
    shapes: Mapping[str, Dims]
    outputs: Mapping[str, str]
    grids: Mapping[str, Grid]
    integers: frozenset[str]


def fold(model: Model, samples: Mapping[str, Shape]) -> Folded:
    """Evaluate what can be evaluated, for inputs of per-sample shapes `samples`."""
    work = _Folding(model, samples)
    for node in model.nodes:
        work.visit(replace(node, inputs=tuple(work.aliases.get(i, i) for i in node.inputs)))
    outputs = {name: work.aliases.get(name, name) for name in model.outputs}
    for name, tensor in outputs.items():
        if tensor not in work.shapes:
            raise UnsupportedError(
                "compile.output.unknown",
                f"output {name!r} is a second output of its node",
                "Remove it from the model's outputs.",
            )
        if name in work.grids:
            raise UnsupportedError(
                "compile.output.quantised", f"output {name!r} leaves quantised", "End the model with DequantizeLinear."
            )
        if tensor in work.constants:
            raise UnsupportedError(
                "compile.output.constant",
                f"output {name!r} does not depend on the input",
                "Remove it from the model's outputs.",
            )
    return Folded(tuple(work.steps), work.shapes, outputs, work.grids, frozenset(work.integers))


class _Folding:
    def __init__(self, model: Model, samples: Mapping[str, Shape]) -> None:
        self.constants: dict[str, Array] = dict(model.constants)
        self.shapes: dict[str, Dims] = {name: value.shape for name, value in model.constants.items()}
        self.shapes.update({name: (BATCH, *shape) for name, shape in samples.items()})
        self.integers = {name for name, i in model.inputs.items() if not i.dtype.startswith("float")}
        self.fixed_batch = model.fixed_batch
        self.aliases: dict[str, str] = {}
        self.grids: dict[str, Grid] = {}
        self.steps: list[Step] = []

    def visit(self, node: Node) -> None:
        """One node, its inputs already renamed."""
        call = Call(node, self.shapes, self.constants, self.fixed_batch, frozenset(self.integers))
        op = operator(call.node)
        for name in filter(None, call.node.inputs):
            if name not in self.shapes:
                raise UnsupportedError(
                    "compile.operator.unsupported",
                    f"{call.where}: reads {name!r}, a second output that is not supported",
                    "Export the model for inference.",
                )
        if not call.dynamic:
            self._constant(op, call)
            return
        known = op.partial(call)
        if known is not None:
            self._define(call.node.output, known)
        elif op.alias(call):
            self._dictate(op, call)
            self.aliases[call.node.output] = call.name(0)
            if call.integral(0) and call.node.op == "Cast" and _to_float(call):
                # The same numbers under a name that arithmetic may touch.
                del self.aliases[call.node.output]
                self.shapes[call.node.output] = call.dims(0)
                self.steps.append(Step(op, call))
        else:
            self._dynamic(op, call)

    def _constant(self, op: Operator, call: Call) -> None:
        values = op.fold(call, [call.constant(i) for i in range(len(call.node.inputs)) if call.has(i)])
        if values is None:
            raise call.refuse("has only constant inputs", "Simplify the model (constant folding) first.")
        for name, value in zip(call.node.outputs, values, strict=False):
            self._define(name, value)

    def _define(self, name: str, value: Array) -> None:
        if value.size > MAX_ELEMENTS:
            raise MalformedError("compile.onnx.too-large", f"constant {name!r} has {value.size} elements")
        self.constants[name], self.shapes[name] = value, value.shape

    def _dynamic(self, op: Operator, call: Call) -> None:
        whole = [i for i in call.dynamic if call.integral(i)]
        if whole and call.node.op not in INTEGER_SAFE:
            raise call.refuse(
                f"arithmetic on machine integers ({call.name(whole[0])!r})",
                "Cast the input to float32 first.",
            )
        self._dictate(op, call)
        shapes = op.shapes(call)
        for dims in shapes[:1]:
            if not dims or dims[0] != BATCH or not all(isinstance(d, int) for d in dims[1:]):
                raise call.refuse(f"gives shape {show(dims)}: the batch must stay axis 0")
            if math.prod(d for d in dims[1:] if isinstance(d, int)) > MAX_ELEMENTS:
                raise MalformedError("compile.onnx.too-large", f"{call.where}: output of shape {show(dims)}")
        self.shapes[call.node.output] = shapes[0]
        if whole or call.node.op == "ArgMax":
            self.integers.add(call.node.output)
        self.steps.append(Step(op, call))

    def _dictate(self, op: Operator, call: Call) -> None:
        for name, grid in op.grid(call).items():
            if self.grids.setdefault(name, grid) != grid:
                raise call.refuse(
                    f"reads {name!r} on another grid than the one it was written on",
                    "Scale and zero point must be the same on both sides of a tensor.",
                )


def _to_float(call: Call) -> bool:
    return bool(call.attribute("to", 0) in (1, 10, 11))
