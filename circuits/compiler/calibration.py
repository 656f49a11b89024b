# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is observed of real tensors over the calibration samples: least, largest, root mean square.

The figures are rounded outward (ranges to three hexadecimal digits, the root mean square to one), so that float sums
that differ in their last bits between processors almost always give the same circuit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from circuits.compiler.float_model import FloatModel
from circuits.compiler.model import Model
from circuits.errors import MalformedError
from circuits.ops.forms import Shape
from circuits.ops.operator import Array

MEMORY = 1 << 28
"""Bytes of intermediate tensors held at once."""
DIGITS = 12
"""Bits of a rounded bound: three hexadecimal digits."""


class Observed(NamedTuple):
    """Rounded outward: least and largest value, root mean square."""

    lo: float
    hi: float
    rms: float

    @property
    def share(self) -> float:
        """Root mean square as a share of the largest magnitude."""
        return self.rms / max(-self.lo, self.hi) if self.rms > 0.0 else 1.0


def calibrate(
    model: Model,
    samples: Mapping[str, Array],
    shapes: Mapping[str, Shape],
    names: Sequence[str],
    progress: Callable[[str, int, int], None],
) -> dict[str, Observed]:
    """What is observed of each named tensor; `shapes` are per sample."""
    tallies = {n: _Tally(n) for n in names}
    for name in samples.keys() & tallies.keys():
        tallies[name].add(samples[name])
    wanted = [n for n in names if n not in samples]
    if wanted:
        per_sample = sum(4 * math.prod(shapes[n]) for n in wanted)
        size = max(1, min(256, MEMORY // max(per_sample, 1)))
        runner, total, done = FloatModel(model, wanted), len(next(iter(samples.values()))), 0
        for chunk in runner.chunks(samples, wanted, size):
            for name, value in chunk.items():
                tallies[name].add(value)
            done += len(next(iter(chunk.values())))
            progress("calibrate", done, total)
    return {name: tally.observed() for name, tally in tallies.items()}


class _Tally:
    """Running least, largest and sum of squares of one tensor."""

    def __init__(self, name: str) -> None:
        self.name, self.lo, self.hi = name, math.inf, -math.inf
        self.squares, self.count = 0.0, 0

    def add(self, value: Array) -> None:
        """One chunk."""
        self.lo, self.hi = min(self.lo, float(value.min())), max(self.hi, float(value.max()))
        self.squares += float(np.square(value, dtype=np.float64).sum())
        self.count += value.size

    def observed(self) -> Observed:
        """The rounded figures. Raises MalformedError (compile.calibration.overflow)."""
        if not (math.isfinite(self.lo) and math.isfinite(self.hi)):
            raise MalformedError(
                "compile.calibration.overflow",
                f"tensor {self.name!r} reaches NaN or infinity in the float model",
                "Check the weights and the calibration inputs.",
            )
        rms = math.sqrt(self.squares / max(self.count, 1))
        return Observed(-_up(-self.lo, DIGITS), _up(self.hi, DIGITS), _up(rms, 4))


def _up(value: float, digits: int) -> float:
    """The next number >= value with so many significant bits."""
    mantissa, exponent = math.frexp(value)
    return math.ldexp(math.ceil(mantissa * (1 << digits)), exponent - digits)


def pixel_step(values: Array) -> float | None:
    """The step of a picture's own grid: 1, 1/255 or 1/127.5 when every sample lies on multiples of it."""
    for step in (1.0, 1.0 / 127.5, 1.0 / 255.0):
        ratio = values.astype(np.float64) / step
        if ratio.size and bool((np.abs(ratio - np.rint(ratio)) < 1e-3).all()) and float(np.abs(ratio).max()) >= 1.0:
            return step
    return None
