# SPDX-License-Identifier: AGPL-3.0-or-later
"""Functionals written out entry by entry, as the inner product needs them.

Most weights are products of one vector per axis: those are written as the outer product of two short vectors, without
an array in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import prod

import numpy as np

from prover import kernels
from prover.threads import LONG, spread
from verifier.proof.layout import Block
from verifier.proof.modular import Words
from verifier.proof.weight import Weight

_ROW = 8
"""What beginning a row costs, in entries."""


def written(terms: Sequence[tuple[Block, Weight]], length: int) -> Words:
    """The sum of the weights, each where its block lies, zero elsewhere: [2, length]."""
    out = np.zeros((2, length), np.uint64)
    for block, weight in terms:
        _add(out, block, weight)
    return out


def _add(out: Words, block: Block, weight: Weight) -> None:
    weight = weight.relabel({label: position for position, label in enumerate(block.order)})
    cuts = [k for k in range(len(block.order)) if _separates(weight, k)]
    if cuts:
        sizes = [(prod(block.padded[:k]), prod(block.padded[k:])) for k in cuts]
        cut = cuts[min(range(len(cuts)), key=lambda i: (1 + _ROW) * sizes[i][0] + sizes[i][1])]
        left = Weight(tuple(f for f in weight.factors if f.labels[0] < cut), weight.coefficient)
        right = Weight(tuple(f for f in weight.factors if f.labels[0] >= cut))
        right = right.relabel({a: a - cut for a in range(cut, len(block.order))})
        a, b = _boxed(left, block.padded[:cut]), _boxed(right, block.padded[cut:])
    else:
        a, b = np.array([[1], [0]], np.uint64), _boxed(weight, block.padded)
    spread(partial(kernels.add_outer, out, block.offset, a, b), a.shape[1], max(1, LONG // b.shape[1]))


def _separates(weight: Weight, cut: int) -> bool:
    """Whether no factor has axes on both sides, nor any that is no axis."""
    return all(min(f.labels) >= 0 and (min(f.labels) >= cut or max(f.labels) < cut) for f in weight.factors)


def _boxed(weight: Weight, padded: Sequence[int]) -> Words:
    """All entries of a weight on axes 0, 1, ..., inside a box of these sizes: [2, size]."""
    if not padded:
        return np.array(weight.coefficient, np.uint64).reshape(2, 1)
    values = weight.explicit(len(padded))
    if values.shape[1:] != tuple(padded):
        box = np.zeros((2, *padded), np.uint64)
        box[(slice(None), *(slice(d) for d in values.shape[1:]))] = values
        values = box
    return np.ascontiguousarray(values).reshape(2, -1)
