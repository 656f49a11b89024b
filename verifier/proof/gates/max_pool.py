# SPDX-License-Identifier: AGPL-3.0-or-later
"""max_pool: y is at least every element of its window, and equal to one that a selector names.

::

    d_k = y - x_k,   (limb of d_k, b_k) in Select        d_k >= 0; b_k is 0 or 1, and d_k = 0 where b_k = 1
    sum_k b_k = 1                                        over the taps inside the input

y, the selectors b_k and all limbs of d_k but the lowest are committed.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from circuits import Gate
from circuits.gates import Site
from verifier.proof.expression import Expression, Source, Tap, Term
from verifier.proof.gates.limbs import limb_offsets, limb_widths
from verifier.proof.plan import Constraint, Lookup, Plan, column
from verifier.proof.tables import Select
from verifier.proof.weight import Integers


@dataclass(frozen=True, eq=False)
class PoolTap:
    """One position of the window: how it reads x, where it is inside, its selector and committed limbs of d."""

    taps: tuple[Tap, ...]
    valid: dict[int, Integers]
    selector: int
    limbs: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, eq=False)
class MaxPoolRecipe:
    """Columns to fill from x and y; the first selected tap wins."""

    gate: Gate
    taps: tuple[PoolTap, ...]


def plan_max_pool(plan: Plan, gate: Gate, site: Site) -> None:
    """See the module."""
    x = site.inputs[0]
    shape = plan.shape_of(gate.output)
    kernel, strides, pads, dilations = (site.integers(n) for n in ("kernel", "strides", "pads", "dilations"))
    plan.commit(gate.output)
    y = column(plan.column_of[gate.output])
    widths = limb_widths((x.hi - x.lo).bit_length(), plan.width) or (1,)
    taps, total = [], Expression((), -1)
    for number, position in enumerate(itertools.product(*(range(k) for k in kernel))):
        reads, valid = [], {}
        for axis, k in enumerate(position):
            tap = Tap(2 + axis, strides[axis], k * dilations[axis] - pads[axis])
            where = np.arange(shape[tap.label], dtype=np.int64) * tap.stride + tap.offset
            inside = ((where >= 0) & (where < x.shape[1 + axis])).astype(np.int64)
            reads.append(tap)
            if not inside.all():
                valid[tap.label] = inside
        if any(not v.any() for v in valid.values()):
            continue  # a tap that lies outside everywhere
        selector = plan.add_column(f"{gate.name} selector {number}", shape)
        masked = Term(Source("column", selector), 1, tuple(valid.items()))
        total = total.plus(Expression((masked,)))
        difference = y.plus(Expression((Term(Source("tensor", gate.inputs[0]), 1, (), tuple(reads)),)), -1)
        limbs = []
        for i, (offset, width) in enumerate(zip(limb_offsets(widths), widths, strict=True)):
            index = -1 if i == 0 else plan.add_column(f"{gate.name} difference {number} {i}", shape)
            limbs.append((index, offset, width))
            if i:
                difference = difference.plus(column(index), -(1 << offset))
        for i, (index, _, width) in enumerate(limbs):
            table = plan.add_table(("select", width), lambda w=width: Select(w))  # type: ignore[misc]
            limb = difference if index < 0 else column(index)
            name = f"{gate.name} difference {number} {i}"
            plan.lookups.append(Lookup(name, table, shape, limb, column(selector), valid))
        taps.append(PoolTap(tuple(reads), valid, selector, tuple(limbs)))
    plan.constraints.append(Constraint(f"{gate.name} selectors", shape, total))
    plan.recipes.append(MaxPoolRecipe(gate, tuple(taps)))
