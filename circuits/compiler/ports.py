# SPDX-License-Identifier: AGPL-3.0-or-later
"""The range of real values that an input port accepts, and its own grid where the data show one.

Stated by the caller, or: all of uint8 and int8; otherwise the calibrated range, widened. Inputs outside are refused
at run time, so a range that is too narrow is noticed, never silently clipped.
"""

from __future__ import annotations

from circuits.compiler.calibration import pixel_step
from circuits.compiler.groups import width
from circuits.ops.forms import Grid, Interval
from circuits.ops.operator import Array

MARGIN = 1.0 / 16.0
"""Share of the calibrated width added on each side (never across zero)."""
_NATURAL: tuple[Interval, ...] = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))
_NATIVE: dict[str, Interval] = {"uint8": (0.0, 255.0), "int8": (-128.0, 127.0)}


def accepted_range(dtype: str, calibrated: Interval, stated: Interval | None, step: float | None) -> Interval:
    """Real values that the port will accept."""
    if stated is not None:
        return stated
    if dtype in _NATIVE:
        return _NATIVE[dtype]
    lo, hi = calibrated
    if step is not None:
        for natural in _NATURAL:  # pictures scaled in the usual ways
            if natural[0] <= lo and hi <= natural[1] and 2.0 * width(calibrated) >= width(natural):
                return natural
    margin = MARGIN * width(calibrated)
    return (lo - margin if lo < 0.0 else 0.0, hi + margin if hi > 0.0 else 0.0)


def own_grid(values: Array, accepted: Interval, most: int) -> Grid | None:
    """The data's own grid, when they lie on one with at most `most` bits."""
    step = 1.0 if values.dtype.kind in "iu" else pixel_step(values)
    if step is None or width(accepted) / step > (1 << most):
        return None
    return Grid(step, round(min(accepted[0], 0.0) / step), round(max(accepted[1], 0.0) / step))
