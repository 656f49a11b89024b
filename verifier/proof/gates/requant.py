# SPDX-License-Identifier: AGPL-3.0-or-later
"""requant: y = clamp(x >> s, lo, hi).

::

    S = max s,  X = x * 2^(S - s)            so that one equation serves every channel: X >> S = x >> s
    X = 2^S * (y + t) + r                    over the integers: all of it stays below 2^62
    0 <= r < 2^S                             limbs r_i in Range
    (y, t_i) in Clamp(lo, hi)                t is what the clamp cut off: 0 inside, > 0 only at hi, < 0 only at lo

Hence y + t = floor(X / 2^S) and y is its clamp.  Where the clamp can't bind, t = 0 and y is range-checked instead.
y, the limbs of t and all limbs of r but the lowest are committed; the one that is left is the rest of the equation.

Where [lo, hi] is too large for a table, the quotient q itself is committed and clamped in at most two steps::

    X = 2^S * q + r,   m = max(q, lo),   y = min(m, hi)
    max: m - q >= 0 and m - lo >= 0 in limbs, the one that a selector b names is 0 (Select with b and 1 - b); min alike

The limbs bound q, m and y from both sides, so that the equation has one solution here as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from circuits import Gate
from circuits.gates import Site
from verifier.proof.expression import Expression, Shape, Source, Term
from verifier.proof.gates.limbs import limb_offsets, limb_widths
from verifier.proof.plan import Constraint, Lookup, Plan, column, refuse, tensor
from verifier.proof.tables import Clamp, Range, Select

MAX_CLAMP_BITS = 16
_NO_WRAP = 1 << 62


Limbs = tuple[tuple[int, int, int], ...]
"""(column or -1, bit offset, width), least significant first."""


@dataclass(frozen=True)
class ClampStep:
    """max (or min, if `upper`) with `end`: the result's column, the selector's, and limbs of both distances."""

    end: int
    upper: bool
    result: int
    selector: int
    limbs: tuple[Limbs, Limbs]


@dataclass(frozen=True)
class RequantRecipe:
    """Columns to fill from x: limb i of y - y_lo, of t (signed) and of r; -1 where a limb is not committed."""

    gate: Gate
    shift: int
    y_lo: int
    y: Limbs
    t: Limbs
    r: Limbs
    quotient: int
    steps: tuple[ClampStep, ...]


def plan_requant(plan: Plan, gate: Gate, site: Site) -> None:
    """See the module."""
    x, (shifts,) = site.inputs[0], site.constants
    lo, hi, shift = site.integer("lo"), site.integer("hi"), int(shifts.max())
    least, most = int((x.lo >> shifts).min()), int((x.hi >> shifts).max())
    below, above = least < lo, most > hi
    if shift == 0 and not below and not above:
        return  # the identity: `linear` passes claims on to x
    y = plan.circuit.tensors[gate.output]
    shape = plan.shape_of(gate.output)
    plan.commit(gate.output)
    y_column = plan.column_of[gate.output]
    excess = max(lo - least if below else 0, most - hi if above else 0)
    wide = (below or above) and y.hi - y.lo >= min(1 << MAX_CLAMP_BITS, 8 * int(np.prod(shape)))
    ends = [least, most, *([lo] if below else []), *([hi] if above else [])]
    span = (max(ends) - min(ends)).bit_length()
    t_widths = () if wide else limb_widths(excess.bit_length(), plan.width)
    t_widths = (max(t_widths),) * len(t_widths) if t_widths else ()
    r_widths = limb_widths(shift, plan.width)
    spread = shift - int(shifts.min())
    slack = sum(t_widths) if t_widths else span
    farthest = max(map(abs, ends))
    reach = ((farthest + (1 << slack + 1) + 1) << shift) + (x.magnitude << spread)
    if reach >= _NO_WRAP:
        raise refuse(gate, f"shifts up to {shift} bring values to {reach:.3g}; required below 2^62")

    aligned = tensor(gate.inputs[0])
    if spread:
        scale = (1 << (shift - shifts)).astype(np.int64)
        aligned = Expression((Term(Source("tensor", gate.inputs[0]), 1, ((1, scale),)),))
    quotient = column(y_column)
    steps: tuple[ClampStep, ...] = ()
    if wide and shift:
        quotient = column(plan.add_column(f"{gate.name} quotient", shape))
    elif wide:
        quotient = aligned
    if wide:
        steps = _clamp_steps(plan, gate, shape, quotient, (lo if below else None, hi if above else None), span)
    if shift or not wide:
        rest = aligned.plus(quotient, -(1 << shift))
        r_limbs = _limbs(plan, gate, shape, "remainder", r_widths, spare=1)
        t_limbs = _limbs(plan, gate, shape, "excess", t_widths, spare=0 if r_widths else 1)
        for index, offset, _ in t_limbs:
            if index >= 0:
                rest = rest.plus(column(index), -(1 << (shift + offset)))
        for index, offset, _ in r_limbs:
            if index >= 0:
                rest = rest.plus(column(index), -(1 << offset))
    else:
        rest, r_limbs, t_limbs = Expression(), (), ()

    y_limbs: Limbs = ()
    if not t_widths and not wide:
        y_limbs = _range_check(plan, gate, shape, y_column, least, most - least)
    for number, (index, _, width) in enumerate(t_limbs):
        key = ("clamp", y.lo, y.hi, width, below, above)
        table = plan.add_table(key, lambda w=width: Clamp(y.lo, y.hi, w, below, above))  # type: ignore[misc]
        limb = rest if index < 0 else column(index)
        plan.lookups.append(Lookup(f"{gate.name} excess {number}", table, shape, column(y_column), limb))
    for number, (index, _, width) in enumerate(r_limbs):
        table = plan.add_table(("range", width), lambda w=width: Range(w))  # type: ignore[misc]
        limb = rest if index < 0 else column(index)
        plan.lookups.append(Lookup(f"{gate.name} remainder {number}", table, shape, limb))
    q_column = quotient.terms[0].source.index if wide and shift else -1
    plan.recipes.append(RequantRecipe(gate, shift, least, y_limbs, t_limbs, r_limbs, q_column, steps))


def _clamp_steps(
    plan: Plan, gate: Gate, shape: Shape, value: Expression, ends: tuple[int | None, int | None], bits: int
) -> tuple[ClampStep, ...]:
    """max with the lower end, then min with the upper one; the last result is the gate's output."""
    steps = []
    y_column = plan.column_of[gate.output]
    for number, end in enumerate(ends):
        if end is None:
            continue
        last = number == 1 or ends[1] is None
        result = y_column if last else plan.add_column(f"{gate.name} clamped below", shape)
        selector = plan.add_column(f"{gate.name} clamp selector {number}", shape)
        sign = 1 if number == 0 else -1
        sides = []
        for side, operand in enumerate((value, Expression((), end))):
            distance = column(result, sign).plus(operand, -sign)
            chosen = column(selector) if side == 0 else Expression((), 1).plus(column(selector), -1)
            limbs = _limbs(plan, gate, shape, f"clamp {number} {side}", limb_widths(bits, plan.width), spare=1)
            for index, offset, _ in limbs[1:]:
                distance = distance.plus(column(index), -(1 << offset))
            for i, (index, _, width) in enumerate(limbs):
                table = plan.add_table(("select", width), lambda w=width: Select(w))  # type: ignore[misc]
                limb = distance if index < 0 else column(index)
                plan.lookups.append(Lookup(f"{gate.name} clamp {number} {side} {i}", table, shape, limb, chosen))
            sides.append(limbs)
        steps.append(ClampStep(end, number == 1, result, selector, (sides[0], sides[1])))
        value = column(result)
    return tuple(steps)


def _limbs(plan: Plan, gate: Gate, shape: Shape, what: str, widths: tuple[int, ...], spare: int) -> Limbs:
    """(column, offset, width) per limb; the first `spare` limbs get no column but -1."""
    limbs = []
    for i, (offset, width) in enumerate(zip(limb_offsets(widths), widths, strict=True)):
        index = -1 if i < spare else plan.add_column(f"{gate.name} {what} {i}", shape)
        limbs.append((index, offset, width))
    return tuple(limbs)


def _range_check(plan: Plan, gate: Gate, shape: Shape, y_column: int, lo: int, size: int) -> Limbs:
    """0 <= y - lo < 2^bits for the least such power; loose is enough, since the equation has one solution then."""
    rest = column(y_column).plus(Expression((), lo), -1)
    limbs = _limbs(plan, gate, shape, "quotient", limb_widths(size.bit_length(), plan.width), spare=1)
    if not limbs:
        plan.constraints.append(Constraint(f"{gate.name} quotient", shape, rest))
    for index, offset, _ in limbs[1:]:
        rest = rest.plus(column(index), -(1 << offset))
    for number, (index, _, width) in enumerate(limbs):
        table = plan.add_table(("range", width), lambda w=width: Range(w))  # type: ignore[misc]
        limb = rest if index < 0 else column(index)
        plan.lookups.append(Lookup(f"{gate.name} quotient {number}", table, shape, limb))
    return limbs
