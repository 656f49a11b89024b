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

from prover import inner_kernels
from prover.threads import LONG, spread
from verifier.proof import vectors
from verifier.proof.field import ONE, Element
from verifier.proof.layout import Block
from verifier.proof.modular import Words
from verifier.proof.weight import Weight

_ROW = 8
"""What beginning a row costs, in entries."""


def written(terms: Sequence[tuple[Block, Weight]], length: int) -> Words:
    """The sum of the weights, each where its block lies, zero elsewhere: [2, length]."""
    out = np.zeros((2, length), np.uint64)
    inner: dict[tuple[object, ...], Words] = {}  # terms on blocks of one shape often share all but the free axis
    for block, weight in terms:
        vectors_of = {f.labels: f.values for f in weight.factors}
        if all((a,) in vectors_of for a in block.order) and len(vectors_of) == len(block.order):
            cut, padded = _cut(block), block.padded
            factors = [vectors_of[a,] for a in block.order]
            key = (padded[cut:], *map(id, factors[cut:]))
            if key not in inner:
                inner[key] = _outer(factors[cut:], padded[cut:], ONE)
            a, b = _outer(factors[:cut], padded[:cut], weight.coefficient), inner[key]
        else:
            a, b = vectors.array([ONE]), _boxed(weight, block)
        spread(partial(inner_kernels.add_outer, out, block.offset, a, b), a.shape[1], max(1, LONG // b.shape[1]))
    return out


def eq_vector(point: Sequence[Element]) -> Words:
    """eq(point, .) at all 2^len(point) places, on all cores: [2, 2^len(point)]."""
    low = len(point) >> 1
    a, b = (vectors.eq_vector(p, 1 << len(p)) for p in (point[:low], point[low:]))
    out = np.empty((2, 1 << len(point)), np.uint64)
    spread(partial(inner_kernels.outer, out, a, b), a.shape[1], max(1, LONG // b.shape[1]))
    return out


def _cut(block: Block) -> int:
    """How many axes make the rows of the outer product."""
    sizes = block.padded
    return min(range(len(sizes)), key=lambda k: (1 + _ROW) * prod(sizes[:k]) + prod(sizes[k:]))


def _outer(factors: Sequence[Words], padded: Sequence[int], coefficient: Element) -> Words:
    """coefficient * product of one vector per axis, inside a box of these sizes: [2, size]."""
    out = vectors.array([coefficient])
    for factor, size in zip(factors, padded, strict=True):
        vector = factor
        if factor.shape[1] < size:
            vector = np.zeros((2, size), np.uint64)
            vector[:, : factor.shape[1]] = factor
        out = vectors.outer(out, vector).reshape(2, -1)
    return out


def _boxed(weight: Weight, block: Block) -> Words:
    """All entries of a weight as its block holds them: [2, length]."""
    values = weight.explicit(len(block.shape)).transpose(0, *(1 + a for a in block.order))
    box = np.zeros((2, *block.padded), np.uint64)
    box[(slice(None), *(slice(d) for d in values.shape[1:]))] = values
    return box.reshape(2, -1)
