# SPDX-License-Identifier: AGPL-3.0-or-later
"""softmax along one axis, in fixed point with P fractional bits.

Semantics   d = max(x) - x;  e = T[min(d, len(T) - 1)];  y = floor(e * 2^P / sum(e)).
Operands    x; constant T, T[0] >= 1, all entries >= 0: T[d] is the table of exp(-d * scale),
            times a power of two.
Attributes  axis; P in [1, 30].
Shape       that of x.
Bounds      [0, 2^P].
Proof       max and lookup per element; y*sum + r = e*2^P with 0 <= r < sum: two range checks per element.
Encrypted   no; the client applies it after decryption.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from circuits.circuit import Attribute, IntArray, Shape
from circuits.gates.attributes import Field, Int
from circuits.gates.rule import Bounds, Cost, GateRule, Site
from circuits.gates.sums import too_wide
from circuits.limits import MAGNITUDE, MAX_RANK, NARROW

if TYPE_CHECKING:
    from circuits.emission.job import Job
    from circuits.emission.value import Value


class Softmax(GateRule):
    kind = "softmax"
    schema: ClassVar[Mapping[str, Field]] = {"axis": Int(0, MAX_RANK - 1), "P": Int(1, 30)}

    def constants(self, inputs: int) -> int:
        return 1

    def defaults(self, site: Site) -> Mapping[str, Attribute]:
        return {"P": 15}

    def shape(self, site: Site) -> Shape:
        x, (table,) = site.inputs[0].shape, site.constants
        if site.integer("axis") >= len(x):
            raise site.refuse("attribute", f"axis {site.integer('axis')} of {list(x)}")
        if table.ndim != 1 or table[0] < 1 or table.min() < 0:
            raise site.refuse("table", "the exponential table must be a vector of entries >= 0 that starts at >= 1")
        return x

    def bounds(self, site: Site, shape: Shape) -> Bounds:
        largest, one = int(site.constants[0].max()), 1 << site.integer("P")
        reach = max(largest * one, largest * shape[site.integer("axis")], site.inputs[0].hi - site.inputs[0].lo)
        if reach >= MAGNITUDE:
            raise too_wide(site.name, reach)
        return Bounds(0, one, reach)

    def evaluate(self, site: Site, arrays: Sequence[IntArray]) -> IntArray:
        (x,), (table,), axis = arrays, site.constants, site.integer("axis") + 1
        distance = x.max(axis=axis, keepdims=True) - x
        e = table[np.minimum(distance, len(table) - 1)]
        result: IntArray = (e << site.integer("P")) // e.sum(axis=axis, keepdims=True)
        return result

    def emit(self, job: Job) -> Value:
        """Distances in floating point, since onnxruntime's int64 Min is wrong beyond 2^31; the division in
        int64.

        Integer Div truncates, which is floor for non-negative numbers.
        """
        writer, site, (table,) = job.writer, job.site, job.site.constants
        axis = writer.constant(np.array([site.integer("axis") + 1], dtype=np.int64))
        x, spread = job.in_units(job.operand(0), (0,)), site.inputs[0].hi - site.inputs[0].lo
        x = job.wide(x) if max(spread, site.inputs[0].magnitude) >= NARROW else job.narrow(x)
        distance = writer.node("Sub", [writer.node("ReduceMax", [x.name, axis], keepdims=1), x.name])
        if spread >= len(table):
            distance = writer.clip(distance, None, len(table) - 1, x.wide)
        index = writer.node("Cast", [distance], to=writer.INT64)
        e = writer.node("Gather", [writer.constant(table), index], axis=0)
        total = writer.node("ReduceSum", [e, axis], keepdims=1)
        scaled = writer.node("Mul", [e, writer.constant(np.int64(1 << site.integer("P")))])
        wide = job.output.magnitude >= NARROW
        name = writer.cast(writer.node("Div", [scaled, total]), wide)
        return job.value(name, wide, (0,), job.output.magnitude)

    def cost(self, site: Site, shape: Shape) -> Cost:
        elements = int(np.prod(shape, dtype=object))
        return Cost(elements, 4 * elements)
