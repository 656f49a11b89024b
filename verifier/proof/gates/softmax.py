# SPDX-License-Identifier: AGPL-3.0-or-later
"""softmax: d = max - x, e = T[min(d, len(T) - 1)], y = floor(e * 2^P / sum e).

::

    max as in `largest`
    d = d' + t,  (d', t_i) in Clamp(0, len(T) - 1)     only where d can leave the table
    (d', e) in Pairs(T)
    y * S = e * 2^P - r,   S = sum of e                one product sumcheck; below 2^62, so no wrap-around
    r, S - 1 - r and y in ranges                       hence 0 <= r < S and y is the quotient

y, e, d', r and all limbs but the lowest are committed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from circuits import Gate
from circuits.gates import Site
from verifier.proof.expression import Expression, Shape, Source, Term
from verifier.proof.gates.largest import plan_largest
from verifier.proof.gates.limbs import limb_offsets, limb_widths
from verifier.proof.plan import Lookup, Plan, Product, column, refuse, tensor
from verifier.proof.tables import Clamp, Pairs, Range

_NO_WRAP = 1 << 62
Limbs = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class SoftmaxRecipe:
    """Columns to fill; `distance` is -1 where d' = d."""

    gate: Gate
    label: int
    exponential: int
    distance: int
    remainder: int
    excess: Limbs
    quotient: Limbs
    low: Limbs
    high: Limbs


def plan_softmax(plan: Plan, gate: Gate, site: Site) -> None:
    """See the module."""
    (table,), x, label = site.constants, site.inputs[0], 1 + site.integer("axis")
    shape, power = plan.shape_of(gate.output), site.integer("P")
    largest, _ = plan_largest(plan, gate, site, label, strict=False, last=False)
    plan.commit(gate.output)
    y, e = plan.column_of[gate.output], plan.add_column(f"{gate.name} exponential", shape)
    r = plan.add_column(f"{gate.name} remainder", shape)
    sum_bits = (int(table.max()) * shape[label]).bit_length()
    if 1 << (power + 1 + sum_bits) >= _NO_WRAP:
        raise refuse(gate, f"quotient times sum may reach 2^{power + 1 + sum_bits}; required below 2^62")
    d = column(largest).plus(tensor(gate.inputs[0]), -1)
    distance, excess = -1, list[tuple[int, int, int]]()
    spread = x.hi - x.lo
    if spread >= len(table):
        distance = plan.add_column(f"{gate.name} distance in table", shape)
        widths = limb_widths((spread - len(table) + 1).bit_length(), plan.width)
        widths = (max(widths),) * len(widths)
        rest = d.plus(column(distance), -1)
        excess = list(_limbs(plan, gate, "excess", shape, widths))
        for index, offset, _ in excess[1:]:
            rest = rest.plus(column(index), -(1 << offset))
        key = ("clamp", 0, len(table) - 1, widths[0], False, True)
        number = plan.add_table(key, lambda: Clamp(0, len(table) - 1, widths[0], below=False, above=True))
        for i, (index, _, _) in enumerate(excess):
            limb = rest if index < 0 else column(index)
            plan.lookups.append(Lookup(f"{gate.name} excess {i}", number, shape, column(distance), limb))
        d = column(distance)
    pairs = plan.add_table(("pairs", 0, gate.constants[0]), lambda: Pairs(0, table))
    plan.lookups.append(Lookup(f"{gate.name} exponential", pairs, shape, d, column(e)))
    total = Expression((Term(Source("column", e), summed=(label, np.ones(shape[label], np.int64))),))
    product = column(e, 1 << power).plus(column(r), -1)
    plan.products.append(Product(gate.name, shape, column(y), total, product))
    below = total.plus(Expression((), 1), -1).plus(column(r), -1)
    checked = [
        range_check(plan, gate, what, shape, value, bits)
        for what, value, bits in (
            ("quotient", column(y), power + 1),
            ("remainder", column(r), sum_bits),
            ("slack", below, sum_bits),
        )
    ]
    plan.recipes.append(SoftmaxRecipe(gate, label, e, distance, r, tuple(excess), *checked))


def _limbs(plan: Plan, gate: Gate, what: str, shape: Shape, widths: tuple[int, ...]) -> Limbs:
    """(column, offset, width) per limb; the lowest gets no column but -1."""
    return tuple(
        (-1 if i == 0 else plan.add_column(f"{gate.name} {what} {i}", shape), offset, width)
        for i, (offset, width) in enumerate(zip(limb_offsets(widths), widths, strict=True))
    )


def range_check(plan: Plan, gate: Gate, what: str, shape: Shape, value: Expression, bits: int) -> Limbs:
    """0 <= value < 2^bits, for bits >= 1."""
    limbs = _limbs(plan, gate, what, shape, limb_widths(bits, plan.width))
    for index, offset, _ in limbs[1:]:
        value = value.plus(column(index), -(1 << offset))
    for i, (index, _, width) in enumerate(limbs):
        table = plan.add_table(("range", width), lambda w=width: Range(w))  # type: ignore[misc]
        limb = value if index < 0 else column(index)
        plan.lookups.append(Lookup(f"{gate.name} {what} {i}", table, shape, limb))
    return limbs
