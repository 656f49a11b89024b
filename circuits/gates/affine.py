# SPDX-License-Identifier: AGPL-3.0-or-later
"""affine: y = sum_i m_i * x_i + c, element by element, with constant multipliers: addition, subtraction,
residual connections, stand-alone batch normalisation.

Operands    n >= 1 tensors that broadcast by numpy's rules; constants m_1 .. m_n, then c, each broadcastable
            to the joint shape of the inputs.
Shape       the joint shape of the inputs.
Bounds      per element of the constants broadcast together: sum of min and max of m_i*lo_i, m_i*hi_i, plus c.
            Reach: sum of |m_i| * max|x_i| plus |c|.
Proof       linear on claims; nothing committed.
Encrypted   yes (BFV and CKKS): plaintext products and additions; depth one, zero if every m_i is 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from circuits.circuit import IntArray, Shape
from circuits.gates.broadcast import align, joint_shape
from circuits.gates.rule import Bounds, Cost, GateRule, Site
from circuits.gates.sums import too_wide
from circuits.limits import MAGNITUDE, MAX_JOINT_ELEMENTS, MAX_OPERANDS, MAX_UNITS, NARROW

if TYPE_CHECKING:
    from circuits.emission.job import Job
    from circuits.emission.value import Exponent, Value


class Affine(GateRule):
    kind = "affine"
    arity = (1, MAX_OPERANDS - 1)

    def constants(self, inputs: int) -> int:
        return inputs + 1

    def shape(self, site: Site) -> Shape:
        shape = joint_shape(site)
        for constant in site.constants:
            padded = (1,) * (len(shape) - constant.ndim) + constant.shape
            if len(padded) != len(shape) or any(a not in (1, b) for a, b in zip(padded, shape, strict=True)):
                raise site.refuse("shape", f"constant {constant.shape} doesn't broadcast to {list(shape)}")
        joint = np.broadcast_shapes(*(c.shape for c in site.constants))
        if np.prod(joint, dtype=object) > MAX_JOINT_ELEMENTS:
            raise site.refuse("too-large", f"constants broadcast to {list(joint)}, over {MAX_JOINT_ELEMENTS}")
        return shape

    def bounds(self, site: Site, shape: Shape) -> Bounds:
        *multipliers, offset = site.constants
        pairs = list(zip(multipliers, site.inputs, strict=True))
        estimate = np.abs(offset).astype(np.float64)
        for m, x in pairs:
            estimate = estimate + np.abs(m).astype(np.float64) * x.magnitude
        if float(np.max(estimate)) >= 2 * MAGNITUDE:
            raise too_wide(site.name, float(np.max(estimate)))
        lo, hi, reach = offset, offset, np.abs(offset)
        for m, x in pairs:  # exact in int64: the estimate excludes overflow
            lo = lo + np.minimum(m * x.lo, m * x.hi)
            hi = hi + np.maximum(m * x.lo, m * x.hi)
            reach = reach + np.abs(m) * x.magnitude
        if int(np.max(reach)) >= MAGNITUDE:
            raise too_wide(site.name, int(np.max(reach)))
        return Bounds(int(np.min(lo)), int(np.max(hi)), int(np.max(reach)))

    def reads(self, site: Site) -> int:
        """Every constant at the joint size: small ones broadcast to large arrays."""
        joint = np.broadcast_shapes(*(c.shape for c in site.constants))
        return len(site.constants) * int(np.prod(joint, dtype=object))

    def evaluate(self, site: Site, arrays: Sequence[IntArray]) -> IntArray:
        *multipliers, offset = site.constants
        shape = joint_shape(site)
        total = np.broadcast_to(offset, (len(arrays[0]), *shape)).copy()
        for m, x in zip(multipliers, arrays, strict=True):
            total += m * align(x, len(shape))
        return total

    def wants(self, site: Site, wanted: Exponent) -> tuple[Exponent | None, ...]:
        shape = joint_shape(site)
        answer: list[Exponent | None] = []
        for m, x in zip(site.constants, site.inputs, strict=False):
            power = _power_of_two(m)
            same_axis = len(x.shape) == len(shape) and x.shape[:1] == shape[:1]
            if power is None or not (len(wanted) == 1 or same_axis):
                answer.append(None)  # a multiplication is needed anyway
                continue
            asked = tuple(e - power for e in wanted)
            answer.append(asked if max(map(abs, asked)) <= MAX_UNITS else (0,))
        return tuple(answer)

    def emit(self, job: Job) -> Value:
        *multipliers, offset = job.site.constants
        values = [job.operand(i) for i in range(len(multipliers))]
        sizes = [int(np.max(np.abs(m))) for m in multipliers]
        limit = NARROW if self.bounds(job.site, job.output.shape).reach < NARROW else MAGNITUDE
        reach = sum(s * v.reach for s, v in zip(sizes, values, strict=True)) + int(np.max(np.abs(offset)))
        if reach >= limit:  # onnxruntime may fold this gate into the one before: keep its partial sums apart
            values = [job.barrier(v, i) for i, v in enumerate(values)]
            reach = sum(s * v.reach for s, v in zip(sizes, values, strict=True)) + int(np.max(np.abs(offset)))
        wide = limit == MAGNITUDE
        values = [job.wide(v) if wide else job.narrow(v) for v in values]
        rank = len(job.output.shape)
        unit = job.unit(job.wanted, rank)
        total = ""
        for i, (m, v) in enumerate(zip(multipliers, values, strict=True)):
            name = job.aligned(v, i)
            factor = m * unit / job.unit(v.exponent, v.rank)
            if (factor != 1.0).any():
                name = job.writer.node("Mul", [name, job.writer.number(factor, wide)])
            total = job.writer.node("Add", [total, name]) if total else name
        if offset.any():
            total = job.writer.node("Add", [total, job.writer.number(offset * unit, wide)])
        return job.value(total, wide, job.wanted, min(reach, limit))

    def cost(self, site: Site, shape: Shape) -> Cost:
        return Cost(len(site.inputs) * int(np.prod(shape, dtype=object)), 0)


def _power_of_two(multiplier: IntArray) -> int | None:
    """log2 of the one value that the array holds, if that is a power of two."""
    value = int(multiplier.flat[0])
    if value <= 0 or value & (value - 1) or not (multiplier == value).all():
        return None
    return value.bit_length() - 1
