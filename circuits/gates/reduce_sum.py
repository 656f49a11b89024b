# SPDX-License-Identifier: AGPL-3.0-or-later
"""reduce_sum: the sum over some per-sample axes.

Attributes  axes (increasing, at least one), keepdims.
Shape       the axes dropped, or of size 1 with keepdims.
Bounds      n*lo, n*hi for n summed positions.
Proof       linear: a sum over a sub-cube of the claim's point.
Encrypted   yes (BFV and CKKS): rotations and additions; depth zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from circuits.circuit import Attribute, IntArray, Shape
from circuits.gates.attributes import Field, Flag, Ints
from circuits.gates.rule import Bounds, Cost, GateRule, Site
from circuits.gates.sums import too_wide
from circuits.limits import MAGNITUDE, MAX_RANK, NARROW

if TYPE_CHECKING:
    from circuits.emission.job import Job
    from circuits.emission.value import Exponent, Value


class ReduceSum(GateRule):
    kind = "reduce_sum"
    schema: ClassVar[Mapping[str, Field]] = {"axes": Ints(0, MAX_RANK - 1), "keepdims": Flag()}

    def defaults(self, site: Site) -> Mapping[str, Attribute]:
        return {"keepdims": False}

    def shape(self, site: Site) -> Shape:
        x, axes = site.inputs[0].shape, site.integers("axes")
        if not axes or list(axes) != sorted(set(axes)) or axes[-1] >= len(x):
            raise site.refuse("attribute", f"axes {list(axes)} of {list(x)}; required increasing and in range")
        if site.attributes["keepdims"]:
            return tuple(1 if i in axes else d for i, d in enumerate(x))
        return tuple(d for i, d in enumerate(x) if i not in axes)

    def bounds(self, site: Site, shape: Shape) -> Bounds:
        x = site.inputs[0]
        count = int(np.prod([x.shape[a] for a in site.integers("axes")], dtype=object))
        if count * x.magnitude >= MAGNITUDE:
            raise too_wide(site.name, count * x.magnitude)
        return Bounds(count * x.lo, count * x.hi, count * x.magnitude)

    def evaluate(self, site: Site, arrays: Sequence[IntArray]) -> IntArray:
        axes = tuple(a + 1 for a in site.integers("axes"))
        result: IntArray = arrays[0].sum(axis=axes, keepdims=bool(site.attributes["keepdims"]))
        return result

    def wants(self, site: Site, wanted: Exponent) -> tuple[Exponent | None, ...]:
        return (wanted if len(wanted) == 1 else (0,),)

    def emit(self, job: Job) -> Value:
        value = job.uniform(job.operand(0))
        wide = job.output.magnitude >= NARROW
        value = job.wide(value) if wide else job.narrow(value)
        axes = job.writer.constant(np.array([a + 1 for a in job.site.integers("axes")], dtype=np.int64))
        keep = int(bool(job.site.attributes["keepdims"]))
        name = job.writer.node("ReduceSum", [value.name, axes], keepdims=keep)
        return job.value(name, wide, value.exponent, job.output.magnitude)

    def cost(self, site: Site, shape: Shape) -> Cost:
        return Cost(0, 0)
