# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the gates that only move elements share: bounds of x, nothing to prove but wiring."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circuits.circuit import Shape
from circuits.gates.rule import Bounds, Cost, GateRule, Site

if TYPE_CHECKING:
    from circuits.emission.value import Exponent


class LayoutRule(GateRule):
    """A permutation of the elements of one tensor."""

    def bounds(self, site: Site, shape: Shape) -> Bounds:
        x = site.inputs[0]
        return Bounds(x.lo, x.hi, x.magnitude)

    def wants(self, site: Site, wanted: Exponent) -> tuple[Exponent | None, ...]:
        return (wanted if len(wanted) == 1 else (0,),)

    def cost(self, site: Site, shape: Shape) -> Cost:
        return Cost(0, 0)
