# SPDX-License-Identifier: AGPL-3.0-or-later
"""The largest element along an axis, named by selectors: what arg_max and softmax share.

::

    d_k = M - x_k - shift_k,   (limb of d_k, b_k) in Select,   sum_k b_k = 1

M and the b_k are committed; shift is 0, or for arg_max 1 before the selected one (b is summed up along the axis).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from circuits import Gate
from circuits.gates import Site
from verifier.proof.expression import Expression, Source, Term
from verifier.proof.gates.limbs import limb_offsets, limb_widths
from verifier.proof.plan import Constraint, Lookup, Plan, column, tensor
from verifier.proof.tables import Select


@dataclass(frozen=True)
class LargestRecipe:
    """Columns to fill: M [.., 1, ..], selectors, committed limbs of d; `last` if the last of equals is selected."""

    gate: Gate
    label: int
    largest: int
    selector: int
    limbs: tuple[tuple[int, int, int], ...]
    strict: bool
    last: bool


def plan_largest(plan: Plan, gate: Gate, site: Site, label: int, *, strict: bool, last: bool) -> tuple[int, int]:
    """Columns of M and of the selectors.  With `strict` the first (or last) of equals must be selected."""
    x, shape = site.inputs[0], plan.shape_of(gate.inputs[0])
    largest = plan.add_column(f"{gate.name} largest", (*shape[:label], 1, *shape[label + 1 :]))
    selector = plan.add_column(f"{gate.name} selectors", shape)
    difference = column(largest).plus(tensor(gate.inputs[0]), -1)
    if strict:  # one less on the side that must not hold an equal one
        difference = difference.plus(Expression((), 1), -1)
        running = Expression((Term(Source("column", selector), cumulative=label),))
        if last:  # sum over later ones and itself = 1 - running + own
            difference = difference.plus(Expression((), 1)).plus(running, -1).plus(column(selector))
        else:
            difference = difference.plus(running)
    widths = limb_widths((x.hi - x.lo).bit_length(), plan.width) or (1,)
    limbs = []
    for i, (offset, width) in enumerate(zip(limb_offsets(widths), widths, strict=True)):
        index = -1 if i == 0 else plan.add_column(f"{gate.name} distance {i}", shape)
        limbs.append((index, offset, width))
        if i:
            difference = difference.plus(column(index), -(1 << offset))
    for i, (index, _, width) in enumerate(limbs):
        table = plan.add_table(("select", width), lambda w=width: Select(w))  # type: ignore[misc]
        limb = difference if index < 0 else column(index)
        plan.lookups.append(Lookup(f"{gate.name} distance {i}", table, shape, limb, column(selector)))
    total = Expression((Term(Source("column", selector), summed=(label, np.ones(shape[label], np.int64))),), -1)
    rows = (*shape[:label], 1, *shape[label + 1 :])
    plan.constraints.append(Constraint(f"{gate.name} selectors", rows, total))
    plan.recipes.append(LargestRecipe(gate, label, largest, selector, tuple(limbs), strict, last))
    return largest, selector
