# SPDX-License-Identifier: AGPL-3.0-or-later
"""table: y = T[x - lo(x)]: any function of one bounded integer (sigmoid, tanh, hard-swish, exp, reciprocal).

Operands    x; constant T of exactly hi(x) - lo(x) + 1 entries.
Shape       that of x.
Bounds      least and largest entry of T.
Proof       one LogUp lookup of (x, y) per element.
Encrypted   BFV: no; CKKS: by a polynomial approximation only, so not bit-exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from circuits.circuit import IntArray, Shape
from circuits.gates.rule import Bounds, Cost, GateRule, Site
from circuits.limits import NARROW

if TYPE_CHECKING:
    from circuits.emission.job import Job
    from circuits.emission.value import Value


class Table(GateRule):
    kind = "table"

    def constants(self, inputs: int) -> int:
        return 1

    def shape(self, site: Site) -> Shape:
        x, (table,) = site.inputs[0], site.constants
        if table.shape != (x.hi - x.lo + 1,):
            raise site.refuse("table", f"table {table.shape}; required {x.hi - x.lo + 1} entries for [{x.lo}, {x.hi}]")
        return x.shape

    def bounds(self, site: Site, shape: Shape) -> Bounds:
        lo, hi = int(site.constants[0].min()), int(site.constants[0].max())
        return Bounds(lo, hi, max(abs(lo), abs(hi)))

    def evaluate(self, site: Site, arrays: Sequence[IntArray]) -> IntArray:
        return site.constants[0][arrays[0] - site.inputs[0].lo]

    def emit(self, job: Job) -> Value:
        x, (table,), writer = job.site.inputs[0], job.site.constants, job.writer
        exponent = job.wanted if len(job.wanted) == 1 else (0,)
        wide = job.output.magnitude >= NARROW
        entries = np.ldexp(table.astype(np.float64), -exponent[0])
        small = x.magnitude < 1 << 31
        # Casting truncates, which is the pending floor where nothing is negative.
        value = job.operand(0, floor_may_wait=x.lo >= 0 and job.inputs[0].exponent == (0,))
        index = writer.node("Cast", [job.in_units(value, (0,)).name], to=writer.INT32 if small else writer.INT64)
        if -len(table) <= x.lo and x.hi < len(table):
            # Negative indices count from the end: entry x at x mod length.
            entries = np.roll(entries, x.lo)
        else:
            index = writer.node("Sub", [index, writer.constant(np.array(x.lo, np.int32 if small else np.int64))])
        values = writer.number(entries, wide)
        # GatherElements on a flat index: onnxruntime's Gather copies scalar by scalar, 20 times slower.
        flat = writer.node("Reshape", [index, writer.constant(np.array([-1], dtype=np.int64))])
        found = writer.node("GatherElements", [values, flat], axis=0)
        shape = writer.constant(np.array([-1, *x.shape], dtype=np.int64))
        name = writer.node("Reshape", [found, shape])
        return job.value(name, wide, exponent, job.output.magnitude)

    def cost(self, site: Site, shape: Shape) -> Cost:
        return Cost(0, int(np.prod(shape, dtype=object)))
