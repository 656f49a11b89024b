# SPDX-License-Identifier: AGPL-3.0-or-later
"""Filling the committed columns from an execution, in int64."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from circuits.derivation import site_of
from verifier.errors import OperationalError
from verifier.proof.expression import Expression, Shape, Tap, evaluate_term
from verifier.proof.gates.largest import LargestRecipe
from verifier.proof.gates.max_pool import MaxPoolRecipe
from verifier.proof.gates.requant import RequantRecipe
from verifier.proof.gates.softmax import SoftmaxRecipe
from verifier.proof.plan import Plan
from verifier.proof.weight import Integers


class Witness:
    """Tensors by index and columns by index; `rows` evaluates expressions over them."""

    def __init__(self, plan: Plan, tensors: Sequence[Integers]) -> None:
        self.plan = plan
        self.tensors = tensors
        self.columns: dict[int, Integers] = {c: tensors[t] for t, c in plan.column_of.items()}
        for recipe in plan.recipes:
            _FILL[type(recipe)](self, recipe)
        self.looked_up = [
            (self.rows(x.first, x.shape), self.rows(x.second, x.shape) if x.second.terms else None)
            for x in plan.lookups
        ]
        self._count()

    def rows(self, expression: Expression, shape: Shape) -> Integers:
        """The expression on every row."""
        total: Integers | None = None
        for term in expression.terms:
            source = self.tensors if term.source.kind == "tensor" else self.columns
            part = evaluate_term(term, source[term.source.index], shape)
            total = part if total is None else total + part
        if total is None:
            return np.full(shape, expression.constant, np.int64)
        return total + expression.constant if expression.constant else total

    def _count(self) -> None:
        counts = [np.zeros(len(t.rows()[0]), np.int64) for t in self.plan.tables]
        for lookup, (first, second) in zip(self.plan.lookups, self.looked_up, strict=True):
            index = self.plan.tables[lookup.table].index(first, np.zeros_like(first) if second is None else second)
            if lookup.valid:
                mask = np.broadcast_to(valid_rows(lookup.valid, lookup.shape), lookup.shape)
                index = index[mask.astype(bool)]
            size = len(counts[lookup.table])
            if index.size and not 0 <= int(index.min()) <= int(index.max()) < size:
                raise OperationalError("proof.witness.range", f"lookup {lookup.name!r} is outside its table")
            counts[lookup.table] += np.bincount(index.reshape(-1), minlength=size)
        for count, idle in zip(counts, self.plan.idle, strict=True):
            count[0] += idle
        for column, count in zip(self.plan.multiplicities, counts, strict=True):
            self.columns[column] = count[None]


def valid_rows(valid: object, shape: Shape) -> Integers:
    """0/1 array that broadcasts to the shape."""
    mask = np.ones((1,) * len(shape), np.int64)
    for label, vector in valid.items():  # type: ignore[attr-defined]
        sizes = [1] * len(shape)
        sizes[label] = len(vector)
        mask = mask * vector.reshape(sizes)
    return mask


def _requant(witness: Witness, recipe: object) -> None:
    assert isinstance(recipe, RequantRecipe)  # noqa: S101
    plan, gate = witness.plan, recipe.gate
    (shifts,) = site_of(gate, plan.circuit.tensors, plan.circuit.constants).constants
    x, y = witness.tensors[gate.inputs[0]], witness.tensors[gate.output]
    if shifts.size > 1:
        shifts = shifts.reshape(-1, *([1] * (x.ndim - 2)))
    aligned = x << (recipe.shift - shifts)
    quotient, remainder = aligned >> recipe.shift, aligned & ((1 << recipe.shift) - 1)
    _fill(witness, recipe.y, y - recipe.y_lo)
    _fill(witness, recipe.r, remainder)
    excess = quotient - y
    for column, offset, width in recipe.t:
        if column >= 0:
            witness.columns[column] = np.sign(excess) * ((np.abs(excess) >> offset) & ((1 << width) - 1))
    if recipe.quotient >= 0:
        witness.columns[recipe.quotient] = quotient
    for step in recipe.steps:
        sign = -1 if step.upper else 1
        result = np.minimum(quotient, step.end) if step.upper else np.maximum(quotient, step.end)
        witness.columns[step.result] = result
        witness.columns[step.selector] = (result == quotient).astype(np.int64)
        _fill(witness, step.limbs[0], sign * (result - quotient))
        _fill(witness, step.limbs[1], sign * (result - step.end))
        quotient = result


def _max_pool(witness: Witness, recipe: object) -> None:
    assert isinstance(recipe, MaxPoolRecipe)  # noqa: S101
    x, y = witness.tensors[recipe.gate.inputs[0]], witness.tensors[recipe.gate.output]
    open_rows = np.ones(y.shape, np.int64)
    for tap in recipe.taps:
        difference = y - read(x, tap.taps, y.shape)
        selected = (difference == 0) * open_rows * valid_rows(tap.valid, y.shape)
        open_rows = open_rows - selected
        witness.columns[tap.selector] = selected
        for column, offset, width in tap.limbs:
            if column >= 0:
                witness.columns[column] = (difference >> offset) & ((1 << width) - 1)


def _largest(witness: Witness, recipe: object) -> None:
    assert isinstance(recipe, LargestRecipe)  # noqa: S101
    x, label = witness.tensors[recipe.gate.inputs[0]], recipe.label
    largest = x.max(axis=label, keepdims=True)
    first = np.argmax(np.flip(x, label) if recipe.last else x, axis=label, keepdims=True)
    chosen = x.shape[label] - 1 - first if recipe.last else first
    selector = np.zeros(x.shape, np.int64)
    np.put_along_axis(selector, chosen, 1, axis=label)
    distance = largest - x
    if recipe.strict:
        running = np.cumsum(selector, axis=label)
        distance = distance - 1 + ((1 - running + selector) if recipe.last else running)
    witness.columns[recipe.largest], witness.columns[recipe.selector] = largest, selector
    _fill(witness, recipe.limbs, distance)


def _softmax(witness: Witness, recipe: object) -> None:
    assert isinstance(recipe, SoftmaxRecipe)  # noqa: S101
    gate = recipe.gate
    site = site_of(gate, witness.plan.circuit.tensors, witness.plan.circuit.constants)
    (table,) = site.constants
    x, y = witness.tensors[gate.inputs[0]], witness.tensors[gate.output]
    distance = x.max(axis=recipe.label, keepdims=True) - x
    inside = np.minimum(distance, len(table) - 1)
    exponential = table[inside]
    total = exponential.sum(axis=recipe.label, keepdims=True)
    remainder = (exponential << site.integer("P")) - y * total
    witness.columns[recipe.exponential], witness.columns[recipe.remainder] = exponential, remainder
    if recipe.distance >= 0:
        witness.columns[recipe.distance] = inside
    _fill(witness, recipe.excess, distance - inside)
    _fill(witness, recipe.quotient, y)
    _fill(witness, recipe.low, remainder)
    _fill(witness, recipe.high, total - 1 - remainder)


def _fill(witness: Witness, limbs: Sequence[tuple[int, int, int]], value: Integers) -> None:
    """Committed limbs (column, offset, width) of a non-negative value."""
    for column, offset, width in limbs:
        if column >= 0:
            witness.columns[column] = (value >> offset) & ((1 << width) - 1)


def read(x: Integers, taps: Sequence[Tap], rows: Shape) -> Integers:
    """x at the tap's positions; 0 outside."""
    for tap in taps:
        position = np.arange(rows[tap.label], dtype=np.int64) * tap.stride + tap.offset
        inside = (position >= 0) & (position < x.shape[tap.label])
        sizes = [1] * x.ndim
        sizes[tap.label] = len(position)
        x = np.take(x, np.where(inside, position, 0), axis=tap.label) * inside.reshape(sizes)
    return x


_FILL = {
    LargestRecipe: _largest,
    MaxPoolRecipe: _max_pool,
    RequantRecipe: _requant,
    SoftmaxRecipe: _softmax,
}
