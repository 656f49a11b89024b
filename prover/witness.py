# SPDX-License-Identifier: AGPL-3.0-or-later
"""Filling the committed columns from an execution, in int64."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from circuits.derivation import site_of
from verifier.errors import OperationalError
from verifier.proof.expression import Expression, Shape, Tap, evaluate_term
from verifier.proof.gates.max_pool import MaxPoolRecipe
from verifier.proof.gates.requant import RequantRecipe
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
    excess, remainder = (aligned >> recipe.shift) - y, aligned & ((1 << recipe.shift) - 1)
    for column, offset, width in recipe.y:
        if column >= 0:
            witness.columns[column] = ((y - recipe.y_lo) >> offset) & ((1 << width) - 1)
    for column, offset, width in recipe.t:
        if column >= 0:
            witness.columns[column] = np.sign(excess) * ((np.abs(excess) >> offset) & ((1 << width) - 1))
    for column, offset, width in recipe.r:
        if column >= 0:
            witness.columns[column] = (remainder >> offset) & ((1 << width) - 1)


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


def read(x: Integers, taps: Sequence[Tap], rows: Shape) -> Integers:
    """x at the tap's positions; 0 outside."""
    for tap in taps:
        position = np.arange(rows[tap.label], dtype=np.int64) * tap.stride + tap.offset
        inside = (position >= 0) & (position < x.shape[tap.label])
        sizes = [1] * x.ndim
        sizes[tap.label] = len(position)
        x = np.take(x, np.where(inside, position, 0), axis=tap.label) * inside.reshape(sizes)
    return x


_FILL = {RequantRecipe: _requant, MaxPoolRecipe: _max_pool}
