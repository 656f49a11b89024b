# SPDX-License-Identifier: AGPL-3.0-or-later
"""Choosing the grid of every tensor: real = scale * integer.

Scales are arbitrary reals, since they fold into weights; zero is always the integer zero. Where a linear map only
rescales (an average, a product of two tensors), the scale is chosen so that what is left is a power of two, and the
map costs one shift.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from circuits.compiler.calibration import Observed, pixel_step
from circuits.compiler.demands import bits_of
from circuits.compiler.groups import Groups, width
from circuits.compiler.options import Options
from circuits.compiler.ports import accepted_range, own_grid
from circuits.compiler.program import Program
from circuits.ops.forms import (
    UNBOUNDED,
    ArgMax,
    Form,
    Grid,
    Interval,
    Linear,
    Product,
    Scaled,
    Softmax,
    Summed,
)
from circuits.ops.operator import Array

EXPONENT_REACH = 11.1
"""exp(-11.1) < 2^-16: differences of logits beyond this are probability zero in units of 2^-15."""
EXPONENT_ENTRIES = 4096
LOGIT_BITS = 20
HEADROOM = 1.25
"""Grids reach beyond the calibrated range by this factor: saturation on new inputs costs more than a third of a bit."""
USUAL_SHARE = 1.0 / 8.0
"""Root mean square over largest magnitude where it was not observed."""


@dataclass(frozen=True)
class Plan:
    """Grids by tensor; `raw` tensors leave as unrounded accumulators and have none; real ranges of the inputs."""

    grids: Mapping[str, Grid]
    raw: frozenset[str]
    accepted: Mapping[str, Interval]
    shares: Mapping[str, float]
    """Root mean square over largest magnitude, by tensor."""


def raw_tensors(program: Program, groups: Groups) -> frozenset[str]:
    """Linear maps that only the outside and ArgMax read: no grid, so no rounding."""
    readers, sizes = program.readers(), {r: len(m) for r, m in groups.members().items()}
    return frozenset(
        name
        for name, form in program.forms.items()
        if isinstance(form, Linear)
        and form.clamp == UNBOUNDED
        and groups.dictated(name) is None
        and sizes[groups.root(name)] == 1
        and all(isinstance(program.forms[r], ArgMax) for r in readers.get(name, []))
    )


def make_plan(
    program: Program,
    groups: Groups,
    ranges: Mapping[str, Observed],
    samples: Mapping[str, Array],
    options: Options,
) -> Plan:
    """Grids for all tensors of the program."""
    widened = {n: _widened(o, program.forms.get(n)) for n, o in ranges.items()}
    planner = _Planner(program, groups, widened, options)
    planner.accept(samples)
    for name in (*program.inputs, *program.forms):
        if groups.root(name) not in planner.scales:
            planner.decide(groups.root(name), name)
    raw = raw_tensors(program, groups)
    grids = {n: planner.grid(n) for n in (*program.inputs, *program.forms) if n not in raw}
    shares = {n: planner.share(n) for n in (*program.inputs, *program.forms)}
    return Plan(grids, raw, planner.accepted, shares)


def _widened(seen: Observed, form: Form | None) -> Observed:
    """The observed range with headroom, within the clamp of the form that makes the tensor; inputs as they are."""
    if form is None:
        return seen
    lo, hi = getattr(form, "clamp", UNBOUNDED)
    return Observed(min(max(seen.lo * HEADROOM, lo), seen.lo), max(min(seen.hi * HEADROOM, hi), seen.hi), seen.rms)


class _Planner:
    def __init__(self, program: Program, groups: Groups, ranges: dict[str, Observed], options: Options) -> None:
        self.program, self.groups, self.ranges, self.options = program, groups, ranges, options
        self.members, self.readers = groups.members(), program.readers()
        self.scales: dict[str, float] = {}
        self.own: dict[str, Grid] = {}
        self.bits: dict[str, int] = {}
        self.accepted: dict[str, Interval] = {}

    def accept(self, samples: Mapping[str, Array]) -> None:
        """Decide what each input accepts; its range, and its own grid, count from here on."""
        for name, port in self.program.inputs.items():
            value = samples[name]
            span = (float(value.min()), float(value.max()))
            stated = self.options.input_range.get(name)
            self.accepted[name] = accepted_range(port.dtype, span, stated, pixel_step(value))
            seen = self.ranges.get(name)
            self.ranges[name] = Observed(*self.accepted[name], seen.rms if seen else 0.0)
            own = own_grid(value, self.accepted[name], 12)
            if own is not None:
                self.own[name] = own

    def decide(self, root: str, first: str) -> None:
        """The scale of a group, met first at tensor `first`."""
        dictated = self.groups.dictated(root)
        members = self.members[root]
        bits = min(bits_of(self.program, self.options, n, self.readers.get(n, []), self.share(n)) for n in members)
        if dictated is not None:
            self.scales[root], self.bits[root] = dictated.scale, 0
            return
        known = [n for n in members if n in self.ranges]
        needed = max(width(self.ranges[n]) for n in known) / ((1 << bits) - 1)
        own = next((self.own[n] for n in members if n in self.own), None)
        if any(isinstance(self.program.forms[r], Softmax) for n in members for r in self.readers.get(n, [])):
            self._logits(root, known)
        elif own is not None and needed <= own.scale:
            self.scales[root], self.bits[root] = own.scale, 0
        else:
            unit = self._unit(self.program.forms.get(first)) if len(members) == 1 else None
            if unit is None:
                self.scales[root], self.bits[root] = needed, bits
            else:  # finer than needed by up to a factor two, a power of two above the unit
                exponent = max(0, math.floor(math.log2(needed / unit)))
                self.scales[root], self.bits[root] = math.ldexp(unit, exponent), 0

    def share(self, name: str) -> float:
        """Root mean square of a tensor as a share of its largest magnitude, for quantised ones a usual figure."""
        return self.ranges[name].share if name in self.ranges else USUAL_SHARE

    def _logits(self, root: str, known: list[str]) -> None:
        spread = max(width(self.ranges[n]) for n in known)
        scale = max(EXPONENT_REACH / (EXPONENT_ENTRIES - 1), spread / ((1 << LOGIT_BITS) - 1))
        self.scales[root], self.bits[root] = scale, 0

    def _unit(self, form: Form | None) -> float | None:
        """The natural unit of a form that only rescales exact integers."""
        if isinstance(form, Product):
            return self.scales[self.groups.root(form.left)] * self.scales[self.groups.root(form.right)]
        if not isinstance(form, Linear) or len(form.terms) != 1 or (form.bias != 0.0).any():
            return None
        (term,) = form.terms
        if not isinstance(term, Scaled | Summed) or term.factor.size != 1 or term.factor.reshape(-1)[0] == 0.0:
            return None
        return self.scales[self.groups.root(term.input)] * abs(float(term.factor.reshape(-1)[0]))

    def grid(self, name: str) -> Grid:
        """The grid of one tensor: the group's scale, the tensor's own bounds."""
        root = self.groups.root(name)
        scale, bits = self.scales[root], self.bits[root]
        stated = self.program.grids.get(name)
        if stated is None and name not in self.ranges:
            stated = self.groups.dictated(root)
        if stated is not None:
            return stated
        own = self.own.get(name)
        if own is not None and own.scale == scale:
            return own
        lo, hi, _ = self.ranges[name]
        least = math.floor(min(lo, 0.0) / scale + 1e-9) if lo < 0.0 else 0
        if bits == 0:  # the scale was not chosen for a number of bits
            return Grid(scale, least, max(math.ceil(hi / scale), 0 if least else 1))
        return Grid(scale, least, max(least + (1 << bits) - 1, 0))
