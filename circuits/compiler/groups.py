# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which tensors must share a scale: union-find over the canonical program.

Rearranged tensors, pools and clamps share because then they are exact; a residual sum shares with what it adds to,
unless the ranges differ too much, because then the skip needs no multiplication and no rounding of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from circuits.compiler.calibration import Observed
from circuits.compiler.program import Program
from circuits.ops.forms import Form, Grid, Interval, Layout, Linear, Pool, Scaled

MAX_RATIO = 8.0
"""Residual operands share a scale while their widths differ by at most this factor (three bits)."""


class Groups:
    """A partition of tensor names. A group holds at most one dictated scale."""

    def __init__(self, program: Program) -> None:
        self.parent = {name: name for name in (*program.inputs, *program.forms)}
        self.grids: dict[str, Grid] = {n: g for n, g in program.grids.items() if n in self.parent}

    def root(self, name: str) -> str:
        while self.parent[name] != name:
            self.parent[name] = self.parent[self.parent[name]]
            name = self.parent[name]
        return name

    def join(self, left: str, right: str) -> None:
        """Merge two groups, unless they have different dictated scales."""
        a, b = self.root(left), self.root(right)
        stated = {g.scale for g in (self.grids.get(a), self.grids.get(b)) if g is not None}
        if a == b or len(stated) > 1:
            return
        self.parent[b] = a
        if b in self.grids:
            self.grids.setdefault(a, self.grids[b])

    def dictated(self, name: str) -> Grid | None:
        """The grid that a quantised operator or the form itself fixes for the group."""
        return self.grids.get(self.root(name))

    def members(self) -> Mapping[str, list[str]]:
        """Root -> members, in program order."""
        found: dict[str, list[str]] = {}
        for name in self.parent:
            found.setdefault(self.root(name), []).append(name)
        return found


def structural_groups(program: Program) -> Groups:
    """Groups that follow from the forms alone."""
    groups = Groups(program)
    for name, form in program.forms.items():
        if isinstance(form, Pool | Layout) or (isinstance(form, Linear) and form.identity):
            for source in form.inputs:
                groups.join(source, name)
    return groups


def join_residuals(program: Program, groups: Groups, ranges: Mapping[str, Observed]) -> None:
    """Let sums share the scale of their plain addends where the ranges are alike."""
    for name, form in program.forms.items():
        for source in _plain_addends(form):
            if source not in ranges or name not in ranges:
                continue
            a, b = width(ranges[source]), width(ranges[name])
            if a <= MAX_RATIO * b and b <= MAX_RATIO * a:
                groups.join(source, name)


def _plain_addends(form: Form) -> list[str]:
    if not isinstance(form, Linear) or len(form.terms) < 2:
        return []
    return [t.input for t in form.terms if isinstance(t, Scaled) and bool(np.all(np.abs(t.factor) == 1.0))]


def width(interval: Interval | Observed) -> float:
    """Length of the smallest interval that holds the range and zero; 1 for the zero range."""
    return max(interval[1], 0.0) - min(interval[0], 0.0) or 1.0
