# SPDX-License-Identifier: AGPL-3.0-or-later
"""Linear functionals on a tensor, as small tensor networks.

A claim of the protocol is ``sum_i weight[i] * tensor[i] = value``.  The weight is a product of factors::

    weight[i_0, ..., i_r] = coefficient * sum over internal labels of prod_f factor_f[labels of f]

Label 0 is the batch, label a > 0 per-sample axis a - 1, and negative labels are internal (the taps of a convolution).
Each axis label stands in exactly one factor, so linear gates act on one factor at a time and a point of the
multilinear extension is evaluated factor by factor: that is why checking a layer costs the verifier so little.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from verifier.proof import modular, portable, vectors
from verifier.proof.field import ONE, Element, mul
from verifier.proof.modular import Words

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Factor:
    """An extension array [2, *sizes of labels]."""

    labels: tuple[int, ...]
    values: Words

    def position(self, label: int) -> int:
        """Axis of the label within `values[0]`."""
        return self.labels.index(label)

    def scaled(self, integers: Integers) -> Factor:
        """Entries times integers that broadcast against them."""
        words = modular.from_integers(integers.reshape(-1)).reshape(integers.shape)
        return Factor(self.labels, vectors.times(self.values, words))


@dataclass(frozen=True, eq=False)
class Weight:
    """A functional on a tensor [batch, *shape]."""

    factors: tuple[Factor, ...]
    coefficient: Element = ONE

    def factor(self, label: int) -> Factor:
        """The factor that holds an axis label."""
        return next(f for f in self.factors if label in f.labels)

    def with_factor(self, old: Factor, *new: Factor) -> Weight:
        """`old` replaced; factors without labels move into the coefficient."""
        coefficient, kept = self.coefficient, [f for f in self.factors if f is not old]
        for factor in new:
            if factor.labels:
                kept.append(factor)
            else:
                coefficient = mul(coefficient, vectors.element(factor.values))
        return Weight(tuple(kept), coefficient)

    def times(self, k: Element) -> Weight:
        """k * weight"""
        return replace(self, coefficient=mul(self.coefficient, k))

    def relabel(self, names: Mapping[int, int]) -> Weight:
        """Axis labels renamed; those not named stay."""
        factors = (Factor(tuple(names.get(x, x) for x in f.labels), f.values) for f in self.factors)
        return replace(self, factors=tuple(factors))

    def plus_axis(self, label: int, size: int) -> Weight:
        """A new axis along which the weight is constant."""
        ones = vectors.embed(np.ones(size, np.uint64))
        return replace(self, factors=(*self.factors, Factor((label,), ones)))

    def sum_axis(self, label: int) -> Weight:
        """The axis summed away."""
        factor = self.factor(label)
        position = factor.position(label)
        labels = factor.labels[:position] + factor.labels[position + 1 :]
        return self.with_factor(factor, Factor(labels, vectors.sum_axis(factor.values, position)))

    def scale_axis(self, label: int, integers: Integers) -> Weight:
        """Entry i of an axis times integers[i]."""
        factor = self.factor(label)
        shape = [1] * len(factor.labels)
        shape[factor.position(label)] = len(integers)
        words = modular.from_integers(integers).reshape(shape)
        return self.with_factor(factor, Factor(factor.labels, vectors.times(factor.values, words)))

    def gather(self, label: int, index: Integers) -> Weight:
        """Along an axis, entry i becomes entry index[i] of before, or 0 where index[i] < 0."""
        factor = self.factor(label)
        axis = factor.position(label) + 1
        return self.with_factor(factor, Factor(factor.labels, _take(factor.values, axis, index)))

    def gather_taps(self, label: int, tap: int, index: Integers) -> Weight:
        """Along an axis, for tap k: entry i becomes entry index[k, i] of before; `tap` labels k."""
        factor = self.factor(label)
        axis = factor.position(label) + 1
        if tap in factor.labels:  # both in one factor: tap k of the result uses tap k of the factor
            where = factor.position(tap) + 1
            slices = [_take(np.take(factor.values, [k], where), axis, row) for k, row in enumerate(index)]
            return self.with_factor(factor, Factor(factor.labels, np.concatenate(slices, axis=where)))
        stacked = np.stack([_take(factor.values, axis, row) for row in index], axis=-1)
        return self.with_factor(factor, Factor((*factor.labels, tap), stacked))

    def fold(
        self, label: int, matrix: npt.NDArray[np.float64] | Integers, largest: int, labels: Mapping[int, int]
    ) -> Weight:
        """The axis multiplied by an integer matrix [size, prod of new sizes]; `labels` maps new labels to sizes."""
        factor = self.factor(label)
        position = factor.position(label)
        moved = np.moveaxis(factor.values, position + 1, -1)
        rest = factor.labels[:position] + factor.labels[position + 1 :]
        flat = np.ascontiguousarray(moved).reshape(2, -1, moved.shape[-1])
        folded = vectors.fold(flat, matrix, largest).reshape(*moved.shape[:-1], *labels.values())
        return self.with_factor(factor, Factor((*rest, *labels), folded))

    def merge(self, labels: Sequence[int]) -> tuple[Weight, Factor]:
        """One factor that begins with these axis labels, in this order; other labels of it follow."""
        parts = list({id(f): f for f in (self.factor(x) for x in labels)}.values())
        joined = parts[0]
        for part in parts[1:]:
            joined = _join(joined, part, keep=set(joined.labels) | set(part.labels))
        order = [*labels, *(x for x in joined.labels if x not in labels)]
        joined = _ordered(joined, order)
        kept = tuple(f for f in self.factors if all(f is not p for p in parts))
        return Weight((*kept, joined), self.coefficient), joined

    def against(self, array: Integers) -> Element:
        """sum of weight * array for a public integer array [batch, *shape]."""
        if all(len(f.labels) == 1 for f in self.factors) and array.ndim == len(self.factors):
            rest: Words | None = None
            for label in range(array.ndim):
                vector = self.factor(label).values
                if rest is None:
                    matrix = np.ascontiguousarray(array).reshape(array.shape[0], -1)
                    rest = vectors.fold(vector[:, None, :], matrix, max(1, int(np.abs(matrix).max())))[:, 0]
                else:
                    rest = vectors.contract(rest.reshape(2, array.shape[label], -1), 0, vector)
            if rest is not None:
                return mul(self.coefficient, vectors.element(rest.reshape(2)))
        words = modular.from_integers(np.ascontiguousarray(array).reshape(-1))
        return vectors.dot(self.explicit(array.ndim).reshape(2, -1), vectors.embed(words))

    def total(self) -> Element:
        """sum of all entries"""
        return self._close(lambda values, position, label: vectors.sum_axis(values, position))

    def at(self, points: Sequence[Words]) -> Element:
        """sum of weight * prod_a points[a][i_a]: with eq vectors, the multilinear extension at a point."""
        return self._close(lambda values, position, label: vectors.contract(values, position, points[label]))

    def _close(self, close: Callable[[Words, int, int], Words]) -> Element:
        """Close every axis label, then the internal ones."""
        result, open_factors = self.coefficient, []
        for factor in self.factors:
            labels, values = factor.labels, factor.values
            for label in factor.labels:
                if label >= 0:
                    position = labels.index(label)
                    values = close(values, position, label)
                    labels = labels[:position] + labels[position + 1 :]
            if labels:
                open_factors.append(Factor(labels, values))
            else:
                result = mul(result, vectors.element(values.reshape(2)))
        if open_factors:
            result = mul(result, vectors.element(_contract_all(open_factors, ()).values.reshape(2)))
        return result

    def explicit(self, rank: int) -> Words:
        """All entries: [2, batch, *shape] for labels 0 .. rank - 1."""
        factors = sorted(self.factors, key=lambda f: f.values.size)  # the smallest takes the coefficient
        factors[0] = Factor(factors[0].labels, vectors.scaled(factors[0].values, self.coefficient))
        return _ordered(_contract_all(factors, tuple(range(rank))), list(range(rank))).values


def _take(values: Words, axis: int, index: Integers) -> Words:
    taken = np.take(values, np.maximum(index, 0), axis=axis)
    shape = [1] * values.ndim
    shape[axis] = len(index)
    return np.where((index >= 0).reshape(shape), taken, np.uint64(0))


def _sum_out(factor: Factor, label: int) -> Factor:
    position = factor.position(label)
    labels = factor.labels[:position] + factor.labels[position + 1 :]
    return Factor(labels, vectors.sum_axis(factor.values, position))


def _ordered(factor: Factor, labels: Sequence[int]) -> Factor:
    axes = [0, *(1 + factor.position(x) for x in labels)]
    return Factor(tuple(labels), np.ascontiguousarray(factor.values.transpose(axes)))


def _contract_all(factors: list[Factor], keep: tuple[int, ...]) -> Factor:
    """The product of all factors with every label outside `keep` summed away."""
    while len(factors) > 1:
        factors.sort(key=lambda f: -f.values.size)
        first = factors.pop()
        shared = [i for i, f in enumerate(factors) if set(f.labels) & set(first.labels)]
        second = factors.pop(shared[-1] if shared else -1)
        needed = set(keep).union(*(f.labels for f in factors))
        factors.append(_join(second, first, needed))
    (last,) = factors or [Factor((), vectors.embed(np.ones(1, np.uint64)))]
    for label in [x for x in last.labels if x not in keep]:
        last = _sum_out(last, label)
    return last


def _join(a: Factor, b: Factor, keep: set[int]) -> Factor:
    """The product of two factors; labels outside `keep` are summed away where both have them."""
    shared = [x for x in a.labels if x in b.labels]
    summed = [x for x in shared if x not in keep]
    if len(summed) == len(shared):
        rest_a, rest_b = ([x for x in f.labels if x not in shared] for f in (a, b))
        left, right = _ordered(a, [*rest_a, *shared]).values, _ordered(b, [*shared, *rest_b]).values
        size = int(np.prod([a.values.shape[1 + a.position(x)] for x in shared], dtype=int))
        product = vectors.matmul(left.reshape(2, -1, size), right.reshape(2, size, -1))
        sizes = (*left.shape[1 : 1 + len(rest_a)], *right.shape[1 + len(shared) :])
        return Factor((*rest_a, *rest_b), product.reshape(2, *sizes))
    labels = [*a.labels, *(x for x in b.labels if x not in a.labels)]
    views = []
    for factor in (a, b):
        present = [x for x in labels if x in factor.labels]
        ordered = _ordered(factor, present).values
        lengths = iter(ordered.shape[1:])
        views.append(ordered.reshape(2, *(next(lengths) if x in factor.labels else 1 for x in labels)))
    joined = Factor(tuple(labels), portable.multiply(*views))
    for label in summed:
        joined = _sum_out(joined, label)
    return joined
