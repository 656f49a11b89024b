# SPDX-License-Identifier: AGPL-3.0-or-later
"""max_pool: the largest value of each window over one or two spatial axes; padding never wins.

Operands    x [C, d1 (, d2)].
Attributes  kernel, strides, pads (begins, then ends), dilations. A rounded-up output size is said by larger
            pads.
Shape       [C, o1 (, o2)], as for conv. Every window must hold at least one position of the input, and each
            pad is smaller than the dilated kernel.
Bounds      those of x.
Proof       y - x_k >= 0 for each position (range checks) and the product of the differences is 0.
Encrypted   no.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from circuits.circuit import Attribute, IntArray, Shape
from circuits.gates.attributes import Field, Ints
from circuits.gates.rule import Bounds, Cost, GateRule, Site
from circuits.gates.windows import WINDOW_SCHEMA, window_defaults, window_shape, windows

if TYPE_CHECKING:
    from circuits.emission.job import Job
    from circuits.emission.value import Exponent, Value


class MaxPool(GateRule):
    kind = "max_pool"
    schema: ClassVar[Mapping[str, Field]] = {"kernel": Ints(1, length=2), **WINDOW_SCHEMA}

    def defaults(self, site: Site) -> Mapping[str, Attribute]:
        return window_defaults(len(site.inputs[0].shape) - 1)

    def shape(self, site: Site) -> Shape:
        x, kernel = site.inputs[0].shape, site.integers("kernel")
        out = window_shape(site, kernel)
        pads, dilations, strides = site.integers("pads"), site.integers("dilations"), site.integers("strides")
        for axis, size in enumerate(out):
            if max(pads[axis], pads[len(out) + axis]) > (kernel[axis] - 1) * dilations[axis]:
                raise site.refuse("pads", f"pads {pads[axis :: len(out)]} of axis {axis} reach beyond the kernel")
            if _holds_an_empty_window(x[1 + axis], size, strides[axis], pads[axis], dilations[axis]):
                raise site.refuse("pads", f"a window on axis {axis} holds nothing but padding")
        return (x[0], *out)

    def bounds(self, site: Site, shape: Shape) -> Bounds:
        x = site.inputs[0]
        return Bounds(x.lo, x.hi, x.magnitude)

    def evaluate(self, site: Site, arrays: Sequence[IntArray]) -> IntArray:
        kernel = site.integers("kernel")
        view = windows(arrays[0], kernel, site, fill=np.iinfo(np.int64).min)
        result: IntArray = view.max(axis=tuple(range(-len(kernel), 0)))
        return result

    def wants(self, site: Site, wanted: Exponent) -> tuple[Exponent | None, ...]:
        return (wanted,)

    def emit(self, job: Job) -> Value:
        """Floor is monotonic: it commutes with max, and is cheaper on the smaller side."""
        site, x = job.site, job.site.inputs[0]
        kernel, pads = site.integers("kernel"), site.integers("pads")
        value = job.operand(0, floor_may_wait=True)
        if any(p >= kernel[i % len(kernel)] for i, p in enumerate(pads)):
            # onnxruntime's MaxPool refuses such pads; a border of the least value never wins either.
            value = job.uniform(value)
            border = job.writer.pad(value, (0, *pads[: len(kernel)], 0, *pads[len(kernel) :]), x.lo)
            value, pads = replace(value, name=border), (0,) * len(pads)
        name = job.writer.node(
            "MaxPool",
            [value.name],
            kernel_shape=kernel,
            strides=site.integers("strides"),
            pads=pads,
            dilations=site.integers("dilations"),
        )
        return job.value(name, value.wide, value.exponent, value.reach, floor=value.floor)

    def cost(self, site: Site, shape: Shape) -> Cost:
        taps = int(np.prod(site.integers("kernel"), dtype=object))
        return Cost(0, int(np.prod(shape, dtype=object)) * taps)


def _holds_an_empty_window(length: int, size: int, stride: int, pad: int, dilation: int) -> bool:
    """Whether one of `size` windows has no tap in [0, length); pads reach no further than the kernel.

    In closed form, since a file may state many gates with many windows each. A window that starts at or
    behind 0 is empty when it starts behind the end; one that starts before 0 has its first tap inside at
    start mod dilation.
    """
    if (size - 1) * stride - pad >= length:
        return True
    before = min(size, -(-pad // stride))
    offset = -pad % dilation
    # floor((v + dilation - length) / dilation) - floor(v / dilation) is 1 exactly where v mod dilation >= length.
    reaching = _floor_sum(before, dilation, stride, offset + dilation - length)
    return length < dilation and reaching > _floor_sum(before, dilation, stride, offset)


def _floor_sum(count: int, modulus: int, factor: int, offset: int) -> int:
    """Sum of floor((factor * i + offset) / modulus) over 0 <= i < count, by Euclid's algorithm; all >= 0."""
    total = 0
    while count > 0:
        total += (count - 1) * count // 2 * (factor // modulus) + count * (offset // modulus)
        factor, offset = factor % modulus, offset % modulus
        top = factor * count + offset
        count, offset, modulus, factor = top // modulus, top % modulus, factor, modulus
    return total
