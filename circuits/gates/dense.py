# SPDX-License-Identifier: AGPL-3.0-or-later
"""dense: y = x @ W + b with constant weights.

Semantics   y[..., n] = b[n] + sum over k of x[..., k] * W[k, n].
Operands    x [..., K]; constants W [K, N] and b [N].
Shape       [..., N].
Bounds      per column, as for conv without padding.
Proof       linear; r^T W is one pass over the weights, then one sumcheck over K.
Encrypted   yes (BFV and CKKS): diagonal or replicated packing; depth one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from circuits.circuit import IntArray, Shape
from circuits.gates.rule import Bounds, Cost, GateRule, Site
from circuits.gates.sums import weighted_sum
from circuits.limits import NARROW

if TYPE_CHECKING:
    from circuits.emission.job import Job
    from circuits.emission.value import Value


class Dense(GateRule):
    kind = "dense"

    def constants(self, inputs: int) -> int:
        return 2

    def shape(self, site: Site) -> Shape:
        x, (weights, bias) = site.inputs[0].shape, site.constants
        if weights.ndim != 2 or bias.shape != weights.shape[1:] or not x or x[-1] != weights.shape[0]:
            raise site.refuse("shape", f"weights {weights.shape} and bias {bias.shape} don't fit input {list(x)}")
        return (*x[:-1], weights.shape[1])

    def bounds(self, site: Site, shape: Shape) -> Bounds:
        x, (weights, bias) = site.inputs[0], site.constants
        return weighted_sum(site.name, weights.T, bias, x.lo, x.hi)

    def evaluate(self, site: Site, arrays: Sequence[IntArray]) -> IntArray:
        (x,), (weights, bias) = arrays, site.constants
        result: IntArray = x @ weights + bias
        return result

    def emit(self, job: Job) -> Value:
        site, writer = job.site, job.writer
        weights, bias = site.constants
        vector = len(job.output.shape) == 1
        # Units per channel follow per-sample axis 0, which is the column axis only when y is a vector.
        exponent = job.wanted if vector or len(job.wanted) == 1 else (0,)
        unit = np.ldexp(1.0, -np.array(exponent, dtype=np.int64))
        reach = self.bounds(site, job.output.shape).reach
        wide = reach >= NARROW
        x = job.in_units(job.operand(0), (0,))
        x = job.wide(x) if wide else job.narrow(x)
        matrix = writer.number(weights * unit, wide)
        addend = writer.number(bias * unit, wide) if bias.any() else ""
        if vector and addend:
            name = writer.node("Gemm", [x.name, matrix, addend])
        else:
            name = writer.node("MatMul", [x.name, matrix])
            if addend:
                name = writer.node("Add", [name, addend])
        return job.value(name, wide, exponent, reach)

    def cost(self, site: Site, shape: Shape) -> Cost:
        rows = int(np.prod(shape[:-1], dtype=object))
        return Cost(rows * site.constants[0].size, 0)
