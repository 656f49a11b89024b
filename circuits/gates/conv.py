# SPDX-License-Identifier: AGPL-3.0-or-later
"""conv: y = W * x + b, a cross-correlation over one or two spatial axes.

Semantics   y[m, o] = b[m] + sum over c, k of W[m, c, k] * x[group(m), c, o*stride - begin + k*dilation];
            positions outside the input count as 0.
Operands    x [C, d1 (, d2)]; constants W [M, C/groups, k1 (, k2)] and b [M].
Attributes  strides, pads (begins, then ends), dilations, groups.
Shape       [M, o1 (, o2)], o = floor((d + begin + end - (dilation*(k - 1) + 1)) / stride) + 1.
Bounds      per output channel: sum of w*hi over w > 0 plus w*lo over w < 0, plus b; 0 joins [lo, hi] when
            there is padding. Reach: all terms that can be positive together, or all that can be
            negative, plus |b|.
Proof       linear; one sumcheck on the im2col view, filters folded at the output-channel point, no
            commitment.
Encrypted   yes (BFV and CKKS): rotations and plaintext products; depth one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from circuits.circuit import Attribute, IntArray, Shape
from circuits.gates.attributes import Field, Int
from circuits.gates.limbs import split_weights
from circuits.gates.rule import Bounds, Cost, GateRule, Site
from circuits.gates.sums import weighted_sum
from circuits.gates.windows import WINDOW_SCHEMA, window_defaults, window_shape, windows
from circuits.limits import NARROW

if TYPE_CHECKING:
    from circuits.emission.job import Job
    from circuits.emission.value import Exponent, Value


class Conv(GateRule):
    kind = "conv"
    schema: ClassVar[Mapping[str, Field]] = {**WINDOW_SCHEMA, "groups": Int(1, 1 << 26)}

    def constants(self, inputs: int) -> int:
        return 2

    def defaults(self, site: Site) -> Mapping[str, Attribute]:
        return {**window_defaults(len(site.inputs[0].shape) - 1), "groups": 1}

    def shape(self, site: Site) -> Shape:
        x, (weights, bias), groups = site.inputs[0].shape, site.constants, site.integer("groups")
        if weights.ndim != len(x) + 1 or bias.shape != weights.shape[:1]:
            raise site.refuse("shape", f"weights {weights.shape} and bias {bias.shape} don't fit input {list(x)}")
        if x[0] != weights.shape[1] * groups or weights.shape[0] % groups:
            raise site.refuse("shape", f"{groups} groups of weights {weights.shape} don't divide {x[0]} channels")
        return (weights.shape[0], *window_shape(site, weights.shape[2:]))

    def bounds(self, site: Site, shape: Shape) -> Bounds:
        x, (weights, bias) = site.inputs[0], site.constants
        padded = any(site.integers("pads"))
        lo, hi = (min(x.lo, 0), max(x.hi, 0)) if padded else (x.lo, x.hi)
        return weighted_sum(site.name, weights.reshape(len(bias), -1), bias, lo, hi)

    def evaluate(self, site: Site, arrays: Sequence[IntArray]) -> IntArray:
        (x,), (weights, bias), groups = arrays, site.constants, site.integer("groups")
        filters = weights.reshape(groups, len(bias) // groups, -1)
        samples = []
        for sample in x:  # one at a time: the im2col view of a batch is large
            view = windows(sample[None], weights.shape[2:], site, fill=0)[0]
            rank = weights.ndim - 2
            out = view.shape[1 : 1 + rank]
            axes = (*range(1, 1 + rank), 0, *range(1 + rank, 1 + 2 * rank))
            rows = np.ascontiguousarray(view.transpose(axes)).reshape(-1, groups, filters.shape[2])
            columns = rows.transpose(1, 2, 0)
            samples.append((filters @ columns).reshape(len(bias), *out))
        return np.stack(samples) + bias.reshape(-1, *([1] * (weights.ndim - 2)))

    def wants(self, site: Site, wanted: Exponent) -> tuple[Exponent | None, ...]:
        return ((0,),)

    def emit(self, job: Job) -> Value:
        site, writer = job.site, job.writer
        weights, bias = site.constants
        x = job.in_units(job.operand(0), (0,))
        rank = weights.ndim - 2
        window: dict[str, int | tuple[int, ...]] = {
            "strides": site.integers("strides"),
            "pads": site.integers("pads"),
            "dilations": site.integers("dilations"),
            "group": site.integer("groups"),
        }
        unit = np.ldexp(1.0, -np.array(job.wanted, dtype=np.int64))
        scale = unit.reshape(-1, *([1] * (rank + 1)))
        reach = self.bounds(site, job.output.shape).reach
        if reach < NARROW:
            operands = [job.narrow(x).name, writer.number(weights * scale, wide=False)]
            if bias.any():
                operands.append(writer.number(bias * unit, wide=False))
            return job.value(writer.node("Conv", operands, **window), False, job.wanted, reach)
        total = ""
        parts = split_weights(weights, site.inputs[0].magnitude, site.integer("groups"))
        for part in parts:
            source = job.narrow(x) if part.input_bits is None else job.limb_of(x, part.input_bits, part.input_limb)
            if part.channels is not None:
                source = job.channels_of(source, *part.channels)
            filters = writer.number(part.weights * np.ldexp(scale, part.exponent), wide=False)
            name = writer.cast(writer.node("Conv", [source.name, filters], **window), wide=True)
            total = writer.node("Add", [total, name]) if total else name
        if bias.any():
            total = writer.node("Add", [total, writer.number((bias * unit).reshape(-1, *([1] * rank)), wide=True)])
        return job.value(total, True, job.wanted, reach)

    def cost(self, site: Site, shape: Shape) -> Cost:
        weights = site.constants[0]
        positions = int(np.prod(shape[1:], dtype=object))
        return Cost(positions * weights.size, 0)
