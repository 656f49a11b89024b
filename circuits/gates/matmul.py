# SPDX-License-Identifier: AGPL-3.0-or-later
"""matmul: y = a @ b of two computed tensors.

Semantics   y[..., i, j] = sum over k of a[..., i, k] * b[..., k, j].
Operands    a [..., I, K] and b [..., K, J] of equal rank >= 2; leading axes broadcast.
Shape       [..., I, J].
Bounds      K times the extreme corner products. Reach: K * max|a| * max|b|.
Proof       one sumcheck over K, two claims out.
Encrypted   BFV and CKKS, ciphertext by ciphertext; depth one, expensive.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from circuits.circuit import IntArray, Shape
from circuits.gates.mul import corners
from circuits.gates.rule import Bounds, Cost, GateRule, Site
from circuits.gates.sums import too_wide
from circuits.limits import MAGNITUDE, NARROW

if TYPE_CHECKING:
    from circuits.emission.job import Job
    from circuits.emission.value import Value


class Matmul(GateRule):
    kind = "matmul"
    arity = (2, 2)

    def shape(self, site: Site) -> Shape:
        a, b = (t.shape for t in site.inputs)
        if len(a) != len(b) or len(a) < 2 or a[-1] != b[-2]:
            raise site.refuse("shape", f"{list(a)} @ {list(b)} is not defined")
        try:
            leading = np.broadcast_shapes(a[:-2], b[:-2])
        except ValueError:
            raise site.refuse("shape", f"leading axes of {list(a)} and {list(b)} don't broadcast") from None
        return (*leading, a[-2], b[-1])

    def bounds(self, site: Site, shape: Shape) -> Bounds:
        a, b = site.inputs
        inner = a.shape[-1]
        lo, hi = corners(a, b)
        reach = inner * a.magnitude * b.magnitude
        if reach >= MAGNITUDE:
            raise too_wide(site.name, reach)
        return Bounds(inner * lo, inner * hi, reach)

    def evaluate(self, site: Site, arrays: Sequence[IntArray]) -> IntArray:
        a, b = arrays
        result: IntArray = a @ b
        return result

    def emit(self, job: Job) -> Value:
        reach = self.bounds(job.site, job.output.shape).reach
        a, b = job.factors(job.operand(0), job.operand(1))
        wide = reach >= NARROW
        a, b = (job.wide(v) if wide else job.narrow(v) for v in (a, b))
        name = job.writer.node("MatMul", [a.name, b.name])
        return job.value(name, wide, (a.exponent[0] + b.exponent[0],), reach)

    def cost(self, site: Site, shape: Shape) -> Cost:
        return Cost(int(np.prod(shape, dtype=object)) * site.inputs[0].shape[-1], 0)
