# SPDX-License-Identifier: AGPL-3.0-or-later
"""concat: tensors one after the other along a per-sample axis.

Operands    n >= 1 tensors of equal rank whose other axes agree.
Attributes  axis.
Shape       sizes along the axis added.
Bounds      least lo, largest hi.
Proof       linear: one claim on y splits into one per input.
Encrypted   yes: free, or rotations and masks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from circuits.circuit import IntArray, Shape
from circuits.gates.attributes import Field, Int
from circuits.gates.rule import Bounds, Cost, GateRule, Site
from circuits.limits import MAX_OPERANDS, MAX_RANK, NARROW

if TYPE_CHECKING:
    from circuits.emission.job import Job
    from circuits.emission.value import Exponent, Value


class Concat(GateRule):
    kind = "concat"
    arity = (1, MAX_OPERANDS)
    schema: ClassVar[Mapping[str, Field]] = {"axis": Int(0, MAX_RANK - 1)}

    def shape(self, site: Site) -> Shape:
        axis, shapes = site.integer("axis"), [t.shape for t in site.inputs]
        rests = {(*s[:axis], *s[axis + 1 :]) for s in shapes}
        if axis >= min(map(len, shapes)) or len(set(map(len, shapes))) > 1 or len(rests) > 1:
            raise site.refuse("shape", f"shapes {[list(s) for s in shapes]} don't join along axis {axis}")
        return (*shapes[0][:axis], sum(s[axis] for s in shapes), *shapes[0][axis + 1 :])

    def bounds(self, site: Site, shape: Shape) -> Bounds:
        lo, hi = min(t.lo for t in site.inputs), max(t.hi for t in site.inputs)
        return Bounds(lo, hi, max(abs(lo), abs(hi)))

    def evaluate(self, site: Site, arrays: Sequence[IntArray]) -> IntArray:
        return np.concatenate(arrays, axis=site.integer("axis") + 1)

    def wants(self, site: Site, wanted: Exponent) -> tuple[Exponent | None, ...]:
        return (wanted if len(wanted) == 1 else (0,),) * len(site.inputs)

    def emit(self, job: Job) -> Value:
        exponent = job.wanted if len(job.wanted) == 1 else (0,)
        wide = job.output.magnitude >= NARROW
        values = [job.in_units(job.operand(i), exponent) for i in range(len(job.inputs))]
        values = [job.wide(v) if wide else job.narrow(v) for v in values]
        name = job.writer.node("Concat", [v.name for v in values], axis=job.site.integer("axis") + 1)
        return job.value(name, wide, exponent, max(v.reach for v in values))

    def cost(self, site: Site, shape: Shape) -> Cost:
        return Cost(0, 0)
