# SPDX-License-Identifier: AGPL-3.0-or-later
"""Univariate fusion: a connected elementwise subgraph that is a function of one tensor becomes one table.

For instance x * clip(x + 3, 0, 6) / 6. Linear steps at the edges are left to the linear maps around them, where they
are free, and a lone clamp is left to the requantisation before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from circuits.compiler.folding import Folded, Step
from circuits.ops.elementwise import Arithmetic, Elementwise
from circuits.ops.forms import Table


def fuse_univariate(folded: Folded) -> Mapping[str, Table]:
    """Tensor -> its table, for every tensor that is best computed as one; the steps in between become dead."""
    work = _Fusion(folded)
    live = set(folded.outputs.values())
    tables: dict[str, Table] = {}
    for step in reversed(folded.steps):
        if step.output not in live:
            continue
        source = work.source(step.output)
        if source is None:
            live.update(step.call.name(i) for i in step.call.dynamic)
        else:
            live.add(source)
            tables[step.output] = work.table(step.output, source)
    return tables


class _Fusion:
    def __init__(self, folded: Folded) -> None:
        self.steps = {s.output: s for s in folded.steps}
        self.order = {s.output: k for k, s in enumerate(folded.steps)}
        self.lines: dict[str, list[str]] = {}
        for step in folded.steps:
            self.lines[step.output] = [step.output, *self._common(step)]

    def _common(self, step: Step) -> list[str]:
        """Tensors, nearest first, of which the step's output is a scalar function."""
        if not _scalar(step):
            return []
        names = [step.call.name(i) for i in step.call.dynamic]
        first, *rest = [self.lines.get(n, [n]) for n in names]
        return [n for n in first if all(n in line for line in rest)]

    def source(self, name: str) -> str | None:
        """The tensor that a table for `name` should read, or None when no table is wanted."""
        line = self.lines[name]
        end = len(line) - 1
        while end > 0 and _affine(self.steps[line[end - 1]]) and self._reads(line[end - 1]) == {line[end]}:
            end -= 1  # a linear step right after the source belongs to the linear map before it
        if end == 0:
            return None
        inner = self.between(name, line[end])
        if len(inner) == 1 and inner[0].operator.linear(inner[0].call):
            return None
        if all(_clamp(s) for s in inner):
            return None
        last = self.steps[name]
        if _affine(last) and len(inner) > 1 and all(s.operator.linear(s.call) for s in inner[:-1]):
            return None  # a clamp, then a linear step: both are free elsewhere
        return line[end]

    def _reads(self, name: str) -> set[str]:
        call = self.steps[name].call
        return {call.name(i) for i in call.dynamic}

    def between(self, name: str, source: str) -> list[Step]:
        """The steps from `source` (excluded) to `name` (included), in order."""
        found: set[str] = set()
        stack = [name]
        while stack:
            at = stack.pop()
            if at != source and at not in found:
                found.add(at)
                stack.extend(self._reads(at))
        return [self.steps[n] for n in sorted(found, key=self.order.__getitem__)]

    def table(self, name: str, source: str) -> Table:
        steps = self.between(name, source)
        programs = [(s, [_operand(s, i) for i in range(len(s.call.node.inputs))]) for s in steps]

        def function(x: Decimal) -> Decimal:
            values = {source: x}
            for step, operands in programs:
                args = [values[o] if isinstance(o, str) else o for o in operands if o is not None]
                y = step.operator.scalar(step.call, *args)
                if y is None:
                    raise step.call.refuse("is not a function of one tensor here")
                values[step.output] = y
            return values[name]

        return Table(source, function, "+".join(s.call.node.op for s in steps))


def _scalar(step: Step) -> bool:
    """Is the step elementwise, with constant operands of one element that do not add axes?"""
    call = step.call
    if not isinstance(step.operator, Elementwise | Arithmetic):
        return False
    if isinstance(step.operator, Elementwise):
        return True
    shapes = [call.dims(i) for i in call.dynamic]
    own = step.operator.shapes(call)[0]
    constants = [i for i in range(len(call.node.inputs)) if call.is_constant(i)]
    if any(s != own for s in shapes) or any(call.constant(i).size != 1 for i in constants):
        return False
    probe = [Decimal(1)] * len(call.node.inputs)
    return step.operator.scalar(call, *probe) is not None


def _affine(step: Step) -> bool:
    return isinstance(step.operator, Arithmetic) and len(step.call.dynamic) == 1


def _clamp(step: Step) -> bool:
    return step.operator.window(step.call) is not None


def _operand(step: Step, index: int) -> str | Decimal | None:
    call: Sequence[str] = step.call.node.inputs
    if not step.call.has(index):
        return None
    return Decimal(step.call.scalar(index)) if step.call.is_constant(index) else call[index]
