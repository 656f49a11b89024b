# SPDX-License-Identifier: AGPL-3.0-or-later
"""arg_max: the position of the largest value along an axis; the first one wins, or the last one if asked.

Attributes  axis, keepdims, select_last_index.
Shape       the axis dropped, or of size 1 with keepdims.
Bounds      [0, d - 1].
Proof       range checks: max - x_k >= 0 everywhere (> 0 before the winner), = 0 at the winner.
Encrypted   no; the client takes the arg_max after decryption.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from circuits.circuit import Attribute, IntArray, Shape
from circuits.gates.attributes import Field, Flag, Int
from circuits.gates.rule import Bounds, Cost, GateRule, Site
from circuits.limits import MAX_RANK, NARROW

if TYPE_CHECKING:
    from circuits.emission.job import Job
    from circuits.emission.value import Exponent, Value


class ArgMax(GateRule):
    kind = "arg_max"
    schema: ClassVar[Mapping[str, Field]] = {
        "axis": Int(0, MAX_RANK - 1),
        "keepdims": Flag(),
        "select_last_index": Flag(),
    }

    def defaults(self, site: Site) -> Mapping[str, Attribute]:
        return {"keepdims": False, "select_last_index": False}

    def shape(self, site: Site) -> Shape:
        x, axis = site.inputs[0].shape, site.integer("axis")
        if axis >= len(x):
            raise site.refuse("attribute", f"axis {axis} of {list(x)}")
        return (*x[:axis], *([1] if site.attributes["keepdims"] else []), *x[axis + 1 :])

    def bounds(self, site: Site, shape: Shape) -> Bounds:
        last = site.inputs[0].shape[site.integer("axis")] - 1
        return Bounds(0, last, last)

    def evaluate(self, site: Site, arrays: Sequence[IntArray]) -> IntArray:
        axis, keep = site.integer("axis") + 1, bool(site.attributes["keepdims"])
        if not site.attributes["select_last_index"]:
            first: IntArray = np.argmax(arrays[0], axis=axis, keepdims=keep)
            return first
        backwards: IntArray = np.argmax(np.flip(arrays[0], axis), axis=axis, keepdims=keep)
        last: IntArray = arrays[0].shape[axis] - 1 - backwards
        return last

    def wants(self, site: Site, wanted: Exponent) -> tuple[Exponent | None, ...]:
        return (None,)

    def emit(self, job: Job) -> Value:
        value = job.uniform(job.operand(0))
        name = job.writer.node(
            "ArgMax",
            [value.name],
            axis=job.site.integer("axis") + 1,
            keepdims=int(bool(job.site.attributes["keepdims"])),
            select_last_index=int(bool(job.site.attributes["select_last_index"])),
        )
        wide = job.output.magnitude >= NARROW
        return job.value(job.writer.cast(name, wide), wide, (0,), job.output.magnitude)

    def cost(self, site: Site, shape: Shape) -> Cost:
        return Cost(0, int(np.prod(site.inputs[0].shape, dtype=object)))
