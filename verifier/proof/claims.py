# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every claim of the protocol as one functional on the committed columns.

The claims, combined by powers of one challenge::

    lookups          sum over blocks of eq(rho) * (first + gamma*second + gamma^2*tag)  =  alpha - Q(rho)
    multiplicities   sum over blocks of eq(rho) * valid - sum over tables of eq(rho)*m  =  P(rho)
    products         left(sigma) = claimed left,  right(sigma) = claimed right
    constraints      expression(tau) = 0
    public tensors   input(tau) = the input's extension at tau, output(tau) = the output's

Pushed through the linear gates this is sum_c <column_c, weight_c> = value, an inner product with the committed vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from verifier.proof import modular, vectors
from verifier.proof.expression import Expression, Shape
from verifier.proof.field import ONE, ZERO, Element, add, mul, scale, sub
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

    def get(self, piece: tuple[Element, ...], size: int) -> modular.Words:
        """[2, size]"""
        if (piece, size) not in self._kept:
            self._kept[piece, size] = vectors.eq_vector(piece, size)
        return self._kept[piece, size]

    def weight(self, pieces: Sequence[tuple[Element, ...]], shape: Shape, coefficient: Element) -> Weight:
        """coefficient * eq(point, .) on [batch, *shape]."""
        factors = (Factor((a,), self.get(p, d)) for a, (p, d) in enumerate(zip(pieces, shape, strict=True)))
        return Weight(tuple(factors), coefficient)


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
        numerator = _lookups(plan, claims, eqs, leaf, challenges, first, second)
        value = add(value, mul(first, sub(challenges.alpha, leaf.denominator)))
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
    return Assembled(merged(claims.terms), sub(value, claims.constant))


def merged(terms: Sequence[tuple[int, Weight]]) -> list[tuple[int, Weight]]:
    """Terms on one column with the very same factors become one: blocks of equal size share their eq vectors."""
    found: dict[object, tuple[int, Weight]] = {}
    for column, weight in terms:
        key = (column, tuple(sorted((f.labels, id(f.values)) for f in weight.factors)))
        if key in found:
            weight = Weight(weight.factors, add(weight.coefficient, found[key][1].coefficient))
        found[key] = (column, weight)
    return list(found.values())


def row_weight(eqs: EqVectors, lookup: Lookup, pieces: Sequence[tuple[Element, ...]], coefficient: Element) -> Weight:
    """eq on the valid rows of a lookup."""
    weight = eqs.weight(pieces, lookup.shape, coefficient)
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
) -> Element:
    """Push both claims on the leaves; returns the share of the numerators that the verifier knows."""
    gamma, square = challenges.gamma, mul(challenges.gamma, challenges.gamma)
    numerator = ZERO
    for lookup, block in zip(plan.lookups, plan.lookup_blocks, strict=True):
        coefficient, pieces = block.split(leaf.point)
        weight = row_weight(eqs, lookup, pieces, coefficient)
        rows = weight.total()
        numerator = add(numerator, rows)
        tag = mul(scale(square, lookup.table + 1), rows)
        claims.constant = add(claims.constant, mul(fingerprints, tag))
        claims.push(lookup.first, weight.times(fingerprints), lookup.shape)
        if lookup.second.terms or lookup.second.constant:
            claims.push(lookup.second, weight.times(mul(fingerprints, gamma)), lookup.shape)
    for number, block in enumerate(plan.table_blocks):
        coefficient, pieces = block.split(leaf.point)
        weight = eqs.weight(pieces, block.shape, mul(coefficient, scale(multiplicities, -1)))
        claims.terms.append((plan.multiplicities[number], weight))
        printed = mul(coefficient, _table(plan, claims.matrices, eqs, number, block, pieces, gamma))
        claims.constant = add(claims.constant, mul(fingerprints, printed))
    return numerator


def _table(
    plan: Plan,
    matrices: Matrices,
    eqs: EqVectors,
    number: int,
    block: Block,
    pieces: Sequence[tuple[Element, ...]],
    gamma: Element,
) -> Element:
    """The extension of a table's fingerprints at a point."""
    size = block.shape[1]

    def columns() -> Integers:
        first, second = plan.tables[number].rows()
        return np.stack([first, second, np.full_like(first, number + 1)], axis=1)

    matrix, largest = matrices.get(("table", plan.batch, number), columns)
    first, second, tag = vectors.elements(vectors.fold(eqs.get(pieces[1], size)[:, None], matrix, largest)[:, 0])
    return add(first, mul(gamma, add(second, mul(gamma, tag))))


def weight_at(plan: Plan, terms: Sequence[tuple[int, Weight]], point: Sequence[Element]) -> Element:
    """The extension at a point of the weights, laid out like the committed vector."""
    eqs, total = EqVectors(), ZERO
    split = {c: plan.column_blocks[c].split(point) for c in {c for c, _ in terms}}
    for column, weight in terms:
        coefficient, pieces = split[column]
        shape = plan.column_blocks[column].shape
        total = add(total, mul(coefficient, weight.at([eqs.get(p, d) for p, d in zip(pieces, shape, strict=True)])))
    return total
