# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every claim of the protocol as one functional on the committed columns.

The claims, combined by powers of one challenge::

    lookups          sum over blocks of eq(rho) * (first + gamma*second + gamma^2*tag)  =  1 + (alpha - 1)*U - Q(rho)
    multiplicities   sum over blocks of lookups of eq(rho) - sum over tables of eq(rho)*m  =  P(rho)
    products         left(sigma) = claimed left,  right(sigma) = claimed right
    constraints      expression(tau) = 0
    public tensors   input(tau) = the input's extension at tau, output(tau) = the output's

U is the sum of eq(rho) over all blocks; the rows of a block that are not valid hold the first row of their table.
Pushed through the linear gates this is sum_c <column_c, weight_c> = value, an inner product with the committed vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from verifier.proof import modular, vectors
from verifier.proof.expression import Expression, Shape
from verifier.proof.field import ONE, ZERO, Element, add, lift, mul, scale, sub
from verifier.proof.layout import Block, bits_of
from verifier.proof.linear import Claims, Matrices
from verifier.proof.lookup import LeafClaim
from verifier.proof.plan import Lookup, Plan, tensor
from verifier.proof.weight import Factor, Integers, Weight


class Public(NamedTuple):
    """A tensor whose integers both sides know: int64 [batch, *shape]."""

    tensor: int
    array: Integers


class Evaluated(NamedTuple):
    """<expression, weight> = value, over rows of a shape."""

    expression: Expression
    shape: Shape
    weight: Weight
    value: Element


class Challenges(NamedTuple):
    """alpha and gamma of the lookups, tau of constraints and public tensors, and the challenge that combines claims."""

    alpha: Element
    gamma: Element
    tau: tuple[Element, ...]
    mix: Element


class Assembled(NamedTuple):
    """sum of <column, weight> over `terms` = `value`."""

    terms: list[tuple[int, Weight]]
    value: Element


def tau_length(plan: Plan) -> int:
    """Coordinates of tau: enough for every constraint and public tensor."""
    shapes = [c.shape for c in plan.constraints]
    shapes += [plan.shape_of(port.tensor) for port in (*plan.circuit.inputs, *plan.circuit.outputs)]
    return max(sum(bits_of(d) for d in shape) for shape in shapes)


def pieces_of(point: Sequence[Element], shape: Shape) -> tuple[tuple[Element, ...], ...]:
    """The first coordinates of a point, cut by axis."""
    pieces, at = [], 0
    for size in shape:
        pieces.append(tuple(point[at : at + bits_of(size)]))
        at += bits_of(size)
    return tuple(pieces)


def evaluated_at(expression: Expression, shape: Shape, point: Sequence[Element], value: Element) -> Evaluated:
    """The claim that the expression's extension is `value` at a point of its rows."""
    return Evaluated(expression, shape, EqVectors().weight(pieces_of(point, shape), shape, ONE), value)


class EqVectors:
    """eq vectors by piece of a point and length, each made once."""

    def __init__(self) -> None:
        self._kept: dict[tuple[tuple[Element, ...], int], modular.Words] = {}
        self._runs: dict[tuple[tuple[Element, ...], int, int], modular.Words] = {}

    def get(self, piece: tuple[Element, ...], size: int) -> modular.Words:
        """[2, size]"""
        if (piece, size) not in self._kept:
            self._kept[piece, size] = vectors.eq_vector(piece, size)
        return self._kept[piece, size]

    def weight(self, pieces: Sequence[tuple[Element, ...]], shape: Shape, coefficient: Element) -> Weight:
        """coefficient * eq(point, .) on [batch, *shape]."""
        return product_weight([self.get(p, d) for p, d in zip(pieces, shape, strict=True)], coefficient)

    def block(self, block: Block, point: Sequence[Element]) -> list[modular.Words]:
        """eq(point of the whole vector, .) on a block, axis by axis."""
        pieces, found = block.split(point), []
        for axis, size in enumerate(block.shape):
            found.append(
                self._run(pieces[axis], block.start, size) if axis == block.free else self.get(pieces[axis], size)
            )
        return found

    def _run(self, piece: tuple[Element, ...], start: int, size: int) -> modular.Words:
        if (piece, start, size) not in self._runs:
            self._runs[piece, start, size] = vectors.eq_run(piece, start, size)
        return self._runs[piece, start, size]


def product_weight(factors: Sequence[modular.Words], coefficient: Element = ONE) -> Weight:
    """coefficient * product of one vector per axis."""
    return Weight(tuple(Factor((a,), v) for a, v in enumerate(factors)), coefficient)


def assemble(
    plan: Plan,
    matrices: Matrices,
    leaf: LeafClaim | None,
    challenges: Challenges,
    evaluated: Sequence[Evaluated],
    public: Sequence[Public],
) -> Assembled:
    """All claims as one; `leaf` is None for a circuit without lookups."""
    claims, eqs = Claims(plan, matrices), EqVectors()
    value, power = ZERO, ONE
    if leaf is not None:
        first, second = ONE, challenges.mix
        power = mul(second, challenges.mix)
        numerator, used = _lookups(plan, claims, eqs, leaf, challenges, first, second)
        full = add(ONE, mul(sub(challenges.alpha, ONE), used))
        value = add(value, mul(first, sub(full, leaf.denominator)))
        value = add(value, mul(second, sub(leaf.numerator, numerator)))
    for item in evaluated:
        claims.push(item.expression, item.weight.times(power), item.shape)
        value = add(value, mul(power, item.value))
        power = mul(power, challenges.mix)
    for constraint in plan.constraints:
        pieces = pieces_of(challenges.tau, constraint.shape)
        claims.push(constraint.expression, eqs.weight(pieces, constraint.shape, power), constraint.shape)
        power = mul(power, challenges.mix)
    for known in public:
        shape = plan.shape_of(known.tensor)
        weight = eqs.weight(pieces_of(challenges.tau, shape), shape, power)
        claims.push(tensor(known.tensor), weight, shape)
        value = add(value, weight.against(known.array))
        power = mul(power, challenges.mix)
    return Assembled(merged(plan, claims.terms), sub(value, claims.constant))


def merged(plan: Plan, terms: Sequence[tuple[int, Weight]]) -> list[tuple[int, Weight]]:
    """Terms on one column that differ in the vector along its free axis alone become one."""
    found: dict[object, list[tuple[int, Weight]]] = {}
    for column, weight in terms:
        free = plan.column_blocks[column].free
        others = (f for f in weight.factors if f.labels != (free,))
        key = (column, frozenset((f.labels, id(f.values)) for f in others))
        found.setdefault(key, []).append((column, weight))
    out = []
    for group in found.values():
        column, weight = group[0]
        if len(group) > 1:
            factor = weight.factor(plan.column_blocks[column].free)
            total = np.zeros_like(factor.values)
            for _, other in group:
                own = other.factor(factor.labels[0]).values
                total = vectors.plus(total, vectors.scaled(own, other.coefficient))
            weight = replace(weight, coefficient=ONE).with_factor(factor, Factor(factor.labels, total))
        out.append((column, weight))
    return out


def row_weight(lookup: Lookup, eqs: Sequence[modular.Words]) -> Weight:
    """The product of one vector per axis, on the valid rows of a lookup."""
    weight = product_weight(eqs)
    for label, valid in lookup.valid.items():
        weight = weight.scale_axis(label, valid)
    return weight


def _lookups(
    plan: Plan,
    claims: Claims,
    eqs: EqVectors,
    leaf: LeafClaim,
    challenges: Challenges,
    fingerprints: Element,
    multiplicities: Element,
) -> tuple[Element, Element]:
    """Push both claims on the leaves; returns the sum of eq over all lookups' blocks, and that over all blocks."""
    gamma, square = challenges.gamma, mul(challenges.gamma, challenges.gamma)
    firsts = [table_head(plan, number, gamma) for number in range(len(plan.tables))]
    covered = ZERO
    for lookup, block in zip(plan.lookups, plan.lookup_blocks, strict=True):
        factors = eqs.block(block, leaf.point)
        whole = vectors.total(factors[block.free])  # eq adds up to 1 along every padded axis
        weight = row_weight(lookup, factors)
        idle = sub(whole, weight.total())
        covered = add(covered, whole)
        known = add(mul(scale(square, lookup.table + 1), whole), mul(firsts[lookup.table], idle))
        claims.constant = add(claims.constant, mul(fingerprints, known))
        claims.push(lookup.first, weight.times(fingerprints), lookup.shape)
        if lookup.second.terms or lookup.second.constant:
            claims.push(lookup.second, weight.times(mul(fingerprints, gamma)), lookup.shape)
    used = covered
    for number, block in enumerate(plan.table_blocks):
        factors = eqs.block(block, leaf.point)
        used = add(used, vectors.total(factors[block.free]))
        weight = product_weight(factors, scale(multiplicities, -1))
        claims.terms.append((plan.multiplicities[number], weight))
        printed = _table(plan, claims.matrices, factors, number, gamma)
        claims.constant = add(claims.constant, mul(fingerprints, printed))
    return covered, used


def table_head(plan: Plan, number: int, gamma: Element) -> Element:
    """first + gamma*second of a table's first row: what rows that are not valid hold."""
    first, second = plan.tables[number].rows()
    return add(lift(int(first[0])), scale(gamma, int(second[0])))


def _table(plan: Plan, matrices: Matrices, factors: Sequence[modular.Words], number: int, gamma: Element) -> Element:
    """The sum of a table's fingerprints against one vector per axis."""

    def columns() -> Integers:
        first, second = plan.tables[number].rows()
        return np.stack([first, second, np.full_like(first, number + 1)], axis=1)

    matrix, largest = matrices.get(("table", plan.batch, number), columns)
    first, second, tag = vectors.elements(vectors.fold(factors[1][:, None], matrix, largest)[:, 0])
    printed = add(first, mul(gamma, add(second, mul(gamma, tag))))
    return mul(vectors.element(factors[0][:, 0]), printed)


def weight_at(plan: Plan, terms: Sequence[tuple[int, Weight]], point: Sequence[Element]) -> Element:
    """The extension at a point of the weights, laid out like the committed vector."""
    eqs, total = EqVectors(), ZERO
    factors = {c: eqs.block(plan.column_blocks[c], point) for c in {c for c, _ in terms}}
    for column, weight in terms:
        total = add(total, weight.at(factors[column]))
    return total
