# SPDX-License-Identifier: AGPL-3.0-or-later
"""Claims backwards through linear gates.

For y = L(x_1, ..., x_n) + c with constant weights, a functional w on y is a functional L^T w on the inputs::

    <y, w> = <c, w> + sum_j <x_j, L_j^T w>

`push` follows a functional until it stands on committed columns.  The cost is that of folding the weights once (BLAS)
and of a few vectors per axis; nothing depends on the number of positions of a convolution.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from circuits.circuit import Shape
from circuits.gates import Site
from verifier.proof.expression import Expression, Tap, tap_index, term_weight
from verifier.proof.field import ZERO, Element, add, lift, scale
from verifier.proof.plan import Plan
from verifier.proof.weight import Integers, Weight

Pushed = tuple[list[Weight], Element]
"""One functional per input, and <c, w>."""

_fresh = itertools.count(1)


@dataclass(eq=False)
class Claims:
    """A sum of functionals on committed columns, and constants that were met on the way."""

    plan: Plan
    matrices: Matrices
    terms: list[tuple[int, Weight]] = field(default_factory=list)
    constant: Element = ZERO

    def push(self, expression: Expression, weight: Weight, rows: Shape) -> None:
        """Add <expression, weight>, where `weight` stands on rows of that shape."""
        if expression.constant:
            self.constant = add(self.constant, scale(weight.total(), expression.constant))
        for term in expression.terms:
            moved = term_weight(term, weight, rows, self.plan.source_shape(term.source))
            if term.source.kind == "column":
                self.terms.append((term.source.index, moved))
            else:
                self.push_tensor(term.source.index, moved)

    def push_tensor(self, tensor: int, weight: Weight) -> None:
        """Add <tensor, weight>."""
        stack = [(tensor, weight)]
        while stack:
            index, current = stack.pop()
            if index in self.plan.column_of:
                self.terms.append((self.plan.column_of[index], current))
                continue
            number = self.plan.gate_of[index]
            site, gate = self.plan.sites[number], self.plan.circuit.gates[number]
            moved, constant = _PUSH[gate.kind](site, current, self)
            self.constant = add(self.constant, constant)
            stack.extend(zip(gate.inputs, moved, strict=True))


class Matrices:
    """float64 views of the constants, made once per circuit: key -> (matrix [rows, columns], largest magnitude)."""

    def __init__(self) -> None:
        self._kept: dict[object, tuple[npt.NDArray[np.float64] | Integers, int]] = {}

    def get(self, key: object, make: Callable[[], Integers]) -> tuple[npt.NDArray[np.float64] | Integers, int]:
        """The matrix; exact in float64, or int64 where it must be cut into pieces before it is multiplied."""
        if key not in self._kept:
            matrix = make()
            largest = max(1, abs(int(matrix.max())), abs(int(matrix.min())))
            narrow = largest * matrix.shape[-2] < 1 << 37
            self._kept[key] = (matrix.astype(np.float64) if narrow else matrix, largest)
        return self._kept[key]


def _dense(site: Site, weight: Weight, claims: Claims) -> Pushed:
    weights, bias = site.constants
    label = len(site.inputs[0].shape)
    constant = weight.scale_axis(label, bias).total() if bias.any() else ZERO
    matrix, largest = claims.matrices.get(site.name, lambda: np.ascontiguousarray(weights.T))
    return [weight.fold(label, matrix, largest, {label: weights.shape[0]})], constant


def _conv(site: Site, weight: Weight, claims: Claims) -> Pushed:
    (weights, bias), groups, x = site.constants, site.integer("groups"), site.inputs[0]
    constant = weight.scale_axis(1, bias).total() if bias.any() else ZERO
    spatial = weights.ndim - 2
    strides, pads, dilations = (site.integers(n) for n in ("strides", "pads", "dilations"))
    taps = [-next(_fresh) for _ in range(spatial)]
    kernel = weights.shape[2:]
    per_group = weights.shape[0] // groups
    matrix, largest = claims.matrices.get(site.name, lambda: weights.reshape(groups, per_group, -1))
    weight = _fold_groups(weight, matrix, largest, (groups, weights.shape[1], *kernel), taps)
    for axis in range(spatial):
        label = 2 + axis
        rows = weight.factor(label)
        size = rows.values.shape[1 + rows.position(label)]
        index = np.stack(
            [
                tap_index(Tap(label, strides[axis], k * dilations[axis] - pads[axis]), size, x.shape[1 + axis])
                for k in range(kernel[axis])
            ]
        )
        weight = weight.gather_taps(label, taps[axis], index)
    return [weight], constant


def _fold_groups(
    weight: Weight, matrix: npt.NDArray[np.float64] | Integers, largest: int, shape: Shape, taps: list[int]
) -> Weight:
    """The channel axis through [groups, out/groups, in/groups * taps]: channels out to channels in, and taps."""
    groups, channels, *kernel = shape
    sizes = dict(zip(taps, kernel, strict=True))
    if groups == 1:
        return weight.fold(1, matrix[0], largest, {1: channels, **sizes})
    factor = weight.factor(1)
    axis = 1 + factor.position(1)
    pieces = np.split(factor.values, groups, axis=axis)
    folded = []
    for piece, part in zip(pieces, matrix, strict=True):
        single = Weight((type(factor)(factor.labels, piece),))
        folded.append(single.fold(1, part, largest, {1: channels, **sizes}).factor(1))
    joined = np.concatenate([f.values for f in folded], axis=1 + folded[0].position(1))
    return weight.with_factor(factor, type(factor)(folded[0].labels, joined))


def _affine(site: Site, weight: Weight, claims: Claims) -> Pushed:
    *multipliers, offset = site.constants
    rank = max(len(t.shape) for t in site.inputs)
    joint = np.broadcast_shapes(*(t.shape for t in site.inputs))
    constant = _times_array(weight, offset, rank).total() if offset.any() else ZERO
    moved = []
    for m, x in zip(multipliers, site.inputs, strict=True):
        w, missing = _times_array(weight, m, rank), rank - len(x.shape)
        for axis in range(rank):
            size = x.shape[axis - missing] if axis >= missing else 0
            if size != joint[axis]:
                w = w.sum_axis(1 + axis)
                w = w.plus_axis(1 + axis, 1) if size else w
        moved.append(w.relabel({1 + a: 1 + a - missing for a in range(missing, rank)}))
    return moved, constant


def _times_array(weight: Weight, array: Integers, rank: int) -> Weight:
    """Entries times a constant that broadcasts against [*shape]."""
    sizes = (1,) * (rank - array.ndim) + array.shape
    varying = [a for a, d in enumerate(sizes) if d > 1]
    if not varying:
        return weight.times(lift(int(array.reshape(-1)[0])))
    if len(varying) == 1:
        return weight.scale_axis(1 + varying[0], array.reshape(-1))
    labels = [1 + a for a in varying]
    merged, factor = weight.merge(labels)
    spread = array.reshape([d for d in sizes if d > 1] + [1] * (len(factor.labels) - len(labels)))
    return merged.with_factor(factor, factor.scaled(spread))


def _reduce_sum(site: Site, weight: Weight, claims: Claims) -> Pushed:
    x, axes, keep = site.inputs[0].shape, site.integers("axes"), bool(site.attributes["keepdims"])
    if keep:
        for axis in axes:
            weight = weight.sum_axis(1 + axis)
    else:
        kept = [a for a in range(len(x)) if a not in axes]
        weight = weight.relabel({1 + i: 1 + a for i, a in enumerate(kept)})
    for axis in axes:
        weight = weight.plus_axis(1 + axis, x[axis])
    return [weight], ZERO


def _transpose(site: Site, weight: Weight, claims: Claims) -> Pushed:
    return [weight.relabel({1 + i: 1 + a for i, a in enumerate(site.integers("perm"))})], ZERO


def _reshape(site: Site, weight: Weight, claims: Claims) -> Pushed:
    x, y = site.inputs[0].shape, site.integers("shape")
    names: dict[int, int] = {}
    added: list[int] = []
    for xs, ys in segments(x, y):
        if len(xs) == len(ys) == 1:
            names[1 + ys[0]] = 1 + xs[0]
        elif not ys:
            added += [1 + a for a in xs]
        elif not xs:
            for a in ys:
                weight = weight.sum_axis(1 + a)
        else:
            labels = [1 + a for a in ys]
            weight, factor = weight.merge(labels)
            inner = factor.labels[len(labels) :]
            sizes = factor.values.shape[1 + len(labels) :]
            values = factor.values.reshape(2, *(x[a] for a in xs), *sizes)
            # Labels of the input are written as -(2^40) - label until every segment is done.
            weight = weight.with_factor(factor, type(factor)((*(_mark(1 + a) for a in xs), *inner), values))
            names |= {_mark(1 + a): 1 + a for a in xs}
    weight = weight.relabel(names)
    for label in added:
        weight = weight.plus_axis(label, 1)
    return [weight], ZERO


def _mark(label: int) -> int:
    return -(1 << 40) - label


def segments(x: Shape, y: Shape) -> list[tuple[list[int], list[int]]]:
    """The finest split of both shapes, in order, into runs of axes with equal products."""
    out: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(x) or j < len(y):
        if i < len(x) and j < len(y) and x[i] == y[j]:
            out.append(([i], [j]))
            i, j = i + 1, j + 1
        elif i < len(x) and x[i] == 1:
            out.append(([i], []))
            i += 1
        elif j < len(y) and y[j] == 1:
            out.append(([], [j]))
            j += 1
        else:
            xs, ys, left, right = [i], [j], x[i], y[j]
            i, j = i + 1, j + 1
            while left != right:
                if left < right:
                    left, xs, i = left * x[i], [*xs, i], i + 1
                else:
                    right, ys, j = right * y[j], [*ys, j], j + 1
            out.append((xs, ys))
    return out


def _concat(site: Site, weight: Weight, claims: Claims) -> Pushed:
    label, start, moved = 1 + site.integer("axis"), 0, []
    for x in site.inputs:
        size = x.shape[label - 1]
        moved.append(weight.gather(label, np.arange(start, start + size, dtype=np.int64)))
        start += size
    return moved, ZERO


def _pad(site: Site, weight: Weight, claims: Claims) -> Pushed:
    x, pads, value = site.inputs[0].shape, site.integers("pads"), site.integer("value")
    inner = weight
    for axis, size in enumerate(x):
        if pads[axis] or pads[len(x) + axis]:
            inner = inner.gather(1 + axis, np.arange(pads[axis], pads[axis] + size, dtype=np.int64))
    border = add(weight.total(), scale(inner.total(), -1)) if value else ZERO
    return [inner], scale(border, value)


def _identity(site: Site, weight: Weight, claims: Claims) -> Pushed:
    return [weight], ZERO


_PUSH: dict[str, Callable[[Site, Weight, Claims], Pushed]] = {
    "affine": _affine,
    "concat": _concat,
    "conv": _conv,
    "dense": _dense,
    "pad": _pad,
    "reduce_sum": _reduce_sum,
    "requant": _identity,  # only where neither shift nor clamp can act: see gates/requant.py
    "reshape": _reshape,
    "transpose": _transpose,
}
