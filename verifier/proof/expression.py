# SPDX-License-Identifier: AGPL-3.0-or-later
"""Linear expressions over tensors and committed columns: what a lookup looks up and a constraint constrains.

::

    E[b, o] = constant + sum_j coefficient_j * prod_a scale_j,a[o_a] * source_j[b, i_j(o)]
    i_j(o)_a = o_a * stride + offset        where a tap is given; entries outside the source count as 0
             = 0                            where the source has size 1
             = any i <= o_a, summed         where the axis is cumulative
             = any i, summed with weights   where the axis is summed
             absent                         where the source lacks the axis
             = o_a                          otherwise
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from verifier.proof.field import lift
from verifier.proof.weight import Integers, Weight

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Source:
    """A tensor of the circuit, or a committed column, by index."""

    kind: Literal["tensor", "column"]
    index: int


class Tap(NamedTuple):
    """On axis label `label`, row o reads source position o*stride + offset."""

    label: int
    stride: int
    offset: int


@dataclass(frozen=True, eq=False)
class Term:
    """One summand; labels count the batch as 0."""

    source: Source
    coefficient: int = 1
    scales: tuple[tuple[int, Integers], ...] = ()
    taps: tuple[Tap, ...] = ()
    cumulative: int | None = None
    summed: tuple[int, Integers] | None = None
    missing: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Expression:
    """constant + sum of terms, over rows of a shape that the user of the expression knows."""

    terms: tuple[Term, ...] = ()
    constant: int = 0

    def plus(self, other: Expression, factor: int = 1) -> Expression:
        """self + factor * other"""
        more = tuple(replace(t, coefficient=t.coefficient * factor) for t in other.terms)
        return Expression((*self.terms, *more), self.constant + factor * other.constant)


def term_weight(term: Term, weight: Weight, rows: Shape, source: Shape) -> Weight:
    """The functional on the source that equals `weight` on this summand's rows.

    `missing` and `summed` (or `cumulative`) do not occur in one term.
    """
    for label, integers in term.scales:
        weight = weight.scale_axis(label, integers)
    for tap in term.taps:
        weight = weight.gather(tap.label, tap_index(tap, rows[tap.label], source[tap.label]))
    if term.cumulative is not None:
        label = term.cumulative
        reach = np.tril(np.ones((rows[label], rows[label])))  # entry (o, i) is 1 for i <= o
        weight = weight.fold(label, reach, 1, {label: rows[label]})
    if term.summed is not None:
        label, integers = term.summed
        weight = weight.sum_axis(label).plus_axis(label, len(integers)).scale_axis(label, integers)
    for label in sorted(term.missing, reverse=True):
        weight = weight.sum_axis(label).relabel({a: a - 1 for a in range(label + 1, len(rows))})
    rows = tuple(d for a, d in enumerate(rows) if a not in term.missing)
    for label, size in enumerate(source):
        if term.summed is not None and term.summed[0] == label:
            continue
        if size == 1 and rows[label] > 1 and not any(t.label == label for t in term.taps):
            weight = weight.sum_axis(label).plus_axis(label, 1)
    return weight.times(lift(term.coefficient))


def tap_index(tap: Tap, rows: int, size: int) -> Integers:
    """For each source position the row that reads it, or -1: [size]."""
    distance = np.arange(size, dtype=np.int64) - tap.offset
    row = distance // tap.stride
    return np.where((distance % tap.stride == 0) & (row >= 0) & (row < rows), row, -1)


def evaluate_term(term: Term, array: Integers, rows: Shape) -> Integers:
    """The summand's rows in int64, for the prover: array [batch, *shape] of the source."""
    for tap in term.taps:
        position = np.arange(rows[tap.label], dtype=np.int64) * tap.stride + tap.offset
        inside = (position >= 0) & (position < array.shape[tap.label])
        array = np.take(array, np.where(inside, position, 0), axis=tap.label)
        array = array * along(inside.astype(np.int64), tap.label, array.ndim)
    if term.cumulative is not None:
        array = np.cumsum(array, axis=term.cumulative)
    if term.missing:
        array = np.expand_dims(array, term.missing)
    if term.summed is not None:
        label, integers = term.summed
        array = (array * along(integers, label, array.ndim)).sum(axis=label, keepdims=True)
    for label, integers in term.scales:
        array = array * along(integers, label, len(rows))
    result: Integers = np.broadcast_to(array * term.coefficient, rows)
    return result


def along(vector: Integers, label: int, rank: int) -> npt.NDArray[np.int64]:
    """A vector shaped to broadcast along one of `rank` axes."""
    shape = [1] * rank
    shape[label] = len(vector)
    return vector.reshape(shape)
