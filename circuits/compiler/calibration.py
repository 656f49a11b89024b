# SPDX-License-Identifier: AGPL-3.0-or-later
"""Ranges of real tensors: least and largest value over the calibration samples.

Ranges are rounded outward to three hexadecimal digits, so that float sums that differ in their last bits between
processors almost always give the same circuit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from circuits.compiler.float_model import FloatModel
from circuits.compiler.model import Model
from circuits.errors import MalformedError
from circuits.ops.forms import Interval, Shape
from circuits.ops.operator import Array

MEMORY = 1 << 28
"""Bytes of intermediate tensors held at once."""
DIGITS = 12
"""Bits of a rounded bound: three hexadecimal digits."""


def calibrate(
    model: Model,
    samples: Mapping[str, Array],
    shapes: Mapping[str, Shape],
    names: Sequence[str],
    progress: Callable[[str, int, int], None],
) -> dict[str, Interval]:
    """Rounded (least, largest) of each named tensor; `shapes` are per sample."""
    found: dict[str, Interval] = {n: _span(samples[n]) for n in names if n in samples}
    wanted = [n for n in names if n not in samples]
    if wanted:
        per_sample = sum(4 * math.prod(shapes[n]) for n in wanted)
        size = max(1, min(256, MEMORY // max(per_sample, 1)))
        runner, total, done = FloatModel(model, wanted), len(next(iter(samples.values()))), 0
        for chunk in runner.chunks(samples, wanted, size):
            for name, value in chunk.items():
                lo, hi = _span(value, name)
                old = found.get(name, (lo, hi))
                found[name] = (min(lo, old[0]), max(hi, old[1]))
            done += len(next(iter(chunk.values())))
            progress("calibrate", done, total)
    return {name: (-_up(-lo), _up(hi)) for name, (lo, hi) in found.items()}


def _span(value: Array, name: str = "") -> Interval:
    lo, hi = float(value.min()), float(value.max())
    if not (math.isfinite(lo) and math.isfinite(hi)):
        raise MalformedError(
            "compile.calibration.overflow",
            f"tensor {name!r} reaches NaN or infinity in the float model",
            "Check the weights and the calibration inputs.",
        )
    return lo, hi


def _up(value: float) -> float:
    """The next number >= value with DIGITS significant bits."""
    mantissa, exponent = math.frexp(value)
    return math.ldexp(math.ceil(mantissa * (1 << DIGITS)), exponent - DIGITS)


def pixel_step(values: Array) -> float | None:
    """The step of a picture's own grid: 1, 1/255 or 1/127.5 when every sample lies on multiples of it."""
    for step in (1.0, 1.0 / 127.5, 1.0 / 255.0):
        ratio = values.astype(np.float64) / step
        if (
            ratio.size
            and bool((np.abs(ratio - np.rint(ratio)) < 1e-3).all())
            and float(np.abs(ratio).max()) >= 1.0
        ):
            return step
    return None
