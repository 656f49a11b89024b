# SPDX-License-Identifier: AGPL-3.0-or-later
"""pad: a constant border around the per-sample axes.

Attributes  pads (begins of every axis, then ends), value.
Shape       begin + d + end per axis.
Bounds      those of x, and the value when there is a border.
Proof       linear, plus a public constant on the border.
Encrypted   yes: masks and an addition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from circuits.circuit import Attribute, IntArray, Shape
from circuits.gates.attributes import Field, Int, Ints
from circuits.gates.rule import Bounds, Cost, GateRule, Site
from circuits.limits import MAX_ELEMENTS, NARROW

if TYPE_CHECKING:
    from circuits.emission.job import Job
    from circuits.emission.value import Exponent, Value


class Pad(GateRule):
    kind = "pad"
    schema: ClassVar[Mapping[str, Field]] = {"pads": Ints(0, MAX_ELEMENTS), "value": Int()}

    def defaults(self, site: Site) -> Mapping[str, Attribute]:
        return {"value": 0}

    def shape(self, site: Site) -> Shape:
        x, pads = site.inputs[0].shape, site.integers("pads")
        if len(pads) != 2 * len(x):
            raise site.refuse("attribute", f"{len(pads)} pads; required {2 * len(x)} for {list(x)}")
        return tuple(b + d + e for b, d, e in zip(pads[: len(x)], x, pads[len(x) :], strict=True))

    def bounds(self, site: Site, shape: Shape) -> Bounds:
        x, value = site.inputs[0], site.integer("value")
        ends = (x.lo, x.hi, value) if any(site.integers("pads")) else (x.lo, x.hi)
        return Bounds(min(ends), max(ends), max(map(abs, ends)))

    def evaluate(self, site: Site, arrays: Sequence[IntArray]) -> IntArray:
        pads = site.integers("pads")
        half = len(pads) // 2
        widths = [(0, 0), *zip(pads[:half], pads[half:], strict=True)]
        return np.pad(arrays[0], widths, constant_values=site.integer("value"))

    def wants(self, site: Site, wanted: Exponent) -> tuple[Exponent | None, ...]:
        return (wanted if len(wanted) == 1 else (0,),)

    def emit(self, job: Job) -> Value:
        value = job.uniform(job.operand(0))
        wide = job.output.magnitude >= NARROW
        value = job.wide(value) if wide else job.narrow(value)
        name = job.writer.pad(value, job.site.integers("pads"), job.site.integer("value"))
        return job.value(name, wide, value.exponent, max(value.reach, job.output.magnitude))

    def cost(self, site: Site, shape: Shape) -> Cost:
        return Cost(0, 0)
