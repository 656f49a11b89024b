# SPDX-License-Identifier: AGPL-3.0-or-later
"""requant: y = clamp(x >> s, lo, hi): the shift that brings accumulators back to activations.

Semantics   x >> s is floor division by 2^s. Rounding to nearest is the compiler's business: it adds 2^(s-1)
            before, usually in a bias.  s = 0 is a clamp, which is also how ReLU is said.
Operands    x; constant s, of one element or of one per channel (per-sample axis 0), 0 <= s <= 52.
Attributes  lo, hi.
Shape       that of x.
Bounds      clamp of the shifted bounds, over all s.
Proof       x = y*2^s + r with 0 <= r < 2^s: one range check for r; the clamp is a second one
            on the difference.
Encrypted   no shift in BFV; CKKS rescales instead, approximately; clamps need a polynomial.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from circuits.circuit import IntArray, Shape
from circuits.gates.attributes import Field, Int
from circuits.gates.rule import Bounds, Cost, GateRule, Site
from circuits.limits import MAX_SHIFT, NARROW

if TYPE_CHECKING:
    from circuits.emission.job import Job
    from circuits.emission.value import Exponent, Value


class Requant(GateRule):
    kind = "requant"
    schema: ClassVar[Mapping[str, Field]] = {"lo": Int(), "hi": Int()}

    def constants(self, inputs: int) -> int:
        return 1

    def shape(self, site: Site) -> Shape:
        shape, (shifts,) = site.inputs[0].shape, site.constants
        if shifts.ndim > 1 or shifts.size not in (1, *shape[:1]):
            raise site.refuse("shape", f"shifts {shifts.shape} are neither one nor one per channel of {list(shape)}")
        if shifts.min() < 0 or shifts.max() > MAX_SHIFT:
            raise site.refuse("shift", f"shifts in [{shifts.min()}, {shifts.max()}]; required in [0, {MAX_SHIFT}]")
        if site.integer("lo") > site.integer("hi"):
            raise site.refuse("attribute", f"lo {site.integer('lo')} is above hi {site.integer('hi')}")
        return shape

    def bounds(self, site: Site, shape: Shape) -> Bounds:
        x, (shifts,) = site.inputs[0], site.constants
        lo, hi = site.integer("lo"), site.integer("hi")
        least = int(np.clip(x.lo >> shifts, lo, hi).min())
        most = int(np.clip(x.hi >> shifts, lo, hi).max())
        return Bounds(least, most, x.magnitude)

    def evaluate(self, site: Site, arrays: Sequence[IntArray]) -> IntArray:
        (x,), (shifts,) = arrays, site.constants
        if shifts.size > 1:
            shifts = shifts.reshape(-1, *([1] * (x.ndim - 2)))
        result: IntArray = np.clip(x >> shifts, site.integer("lo"), site.integer("hi"))
        return result

    def wants(self, site: Site, wanted: Exponent) -> tuple[Exponent | None, ...]:
        return (_units(site.constants[0]),)

    def emit(self, job: Job) -> Value:
        """Clip in units of 2^-s, where the limits are the clamp's own integers; the floor may wait."""
        site, x = job.site, job.site.inputs[0]
        (shifts,) = site.constants
        units = _units(shifts)
        value = job.in_units(job.operand(0), units)
        if job.output.magnitude >= NARROW:
            value = job.wide(value)
        lo, hi = site.integer("lo"), site.integer("hi")
        low = job.output.lo if int((x.lo >> shifts).min()) < lo else None  # None: the clamp cannot bind
        high = job.output.hi if int((x.hi >> shifts).max()) > hi else None
        if low is not None or high is not None:
            value = job.clipped(value, low, high)
        floor = any(units)
        contained = floor or (low is not None and high is not None)
        return job.value(value.name, value.wide, (0,), job.output.magnitude if contained else value.reach, floor)

    def cost(self, site: Site, shape: Shape) -> Cost:
        return Cost(0, 2 * int(np.prod(shape, dtype=object)))


def _units(shifts: IntArray) -> Exponent:
    """The shifts as units: one, or one per channel where they differ."""
    units = tuple(int(s) for s in shifts.flat)
    return units if len(set(units)) > 1 else units[:1]
