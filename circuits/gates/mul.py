# SPDX-License-Identifier: AGPL-3.0-or-later
"""mul: y = a * b, element by element, of two computed tensors.

Operands    a and b; per-sample shapes broadcast by numpy's rules.
Shape       the broadcast shape.
Bounds      the extreme corner products.
Proof       one sumcheck of degree three (product with eq), two claims out.
Encrypted   BFV and CKKS, ciphertext by ciphertext; depth one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from circuits.circuit import IntArray, Shape, Tensor
from circuits.gates.broadcast import align, joint_shape
from circuits.gates.rule import Bounds, Cost, GateRule, Site
from circuits.gates.sums import too_wide
from circuits.limits import MAGNITUDE, NARROW

if TYPE_CHECKING:
    from circuits.emission.job import Job
    from circuits.emission.value import Value


def corners(a: Tensor, b: Tensor) -> tuple[int, int]:
    """Least and largest product of a value within a's bounds and one within b's."""
    products = [p * q for p in (a.lo, a.hi) for q in (b.lo, b.hi)]
    return min(products), max(products)


class Mul(GateRule):
    kind = "mul"
    arity = (2, 2)

    def shape(self, site: Site) -> Shape:
        return joint_shape(site)

    def bounds(self, site: Site, shape: Shape) -> Bounds:
        lo, hi = corners(*site.inputs)
        reach = max(abs(lo), abs(hi))
        if reach >= MAGNITUDE:
            raise too_wide(site.name, reach)
        return Bounds(lo, hi, reach)

    def evaluate(self, site: Site, arrays: Sequence[IntArray]) -> IntArray:
        a, b = (align(x, len(joint_shape(site))) for x in arrays)
        return a * b

    def emit(self, job: Job) -> Value:
        wide = job.output.magnitude >= NARROW
        values = [job.barrier(v, i) for i, v in enumerate(job.factors(job.operand(0), job.operand(1)))]
        a, b = (job.wide(v) if wide else job.narrow(v) for v in values)
        names = [job.aligned(v, i) for i, v in enumerate((a, b))]
        exponent = (a.exponent[0] + b.exponent[0],)
        return job.value(job.writer.node("Mul", names), wide, exponent, job.output.magnitude)

    def cost(self, site: Site, shape: Shape) -> Cost:
        return Cost(int(np.prod(shape, dtype=object)), 0)
