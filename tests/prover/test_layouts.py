# SPDX-License-Identifier: AGPL-3.0-or-later
"""Layouts index by index, and arguments long enough for threads and chunks against the verifier's checks."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prover.functional import eq_vector, written
from prover.inner_product import prove_inner_product
from prover.lookup import inverses, padded, prove_fractions
from prover.messages import Writer
from tests.prover.edges import words
from verifier.proof import modular, vectors
from verifier.proof.claims import EqVectors
from verifier.proof.field import ONE, ZERO, P, add, eq_bits, inverse, mul
from verifier.proof.layout import place
from verifier.proof.lookup import check_fractions
from verifier.proof.sumcheck import check_inner_product
from verifier.proof.transcript import Transcript
from verifier.proof.weight import Factor, Weight
from verifier.proof.wire import Reader

SHAPES = st.lists(st.lists(st.integers(1, 7), min_size=1, max_size=4).map(tuple), min_size=1, max_size=6)


def at(array, *index):
    """One element of [2, ...]."""
    return int(array[(0, *index)]), int(array[(1, *index)])


def point_of(rng, count):
    """A random point."""
    return [(int(a), int(b)) for a, b in rng.integers(0, P, (count, 2), dtype=np.uint64)]


@settings(max_examples=40)
@given(SHAPES, st.integers(0, 2**32))
def test_blocks(shapes, seed):
    """Blocks don't overlap, and eq at a point of the whole vector splits as the layout says."""
    rng = np.random.default_rng(seed)
    blocks, used = place(shapes)
    taken = np.zeros(used, np.int64)
    point = point_of(rng, max(1, (used - 1).bit_length()))
    eqs = EqVectors()
    for block in blocks:
        taken[block.offset : block.end] += 1
        index = block.offset + padded(np.arange(prod(block.shape)).reshape(block.shape) + 1, block).nonzero()[0]
        order = padded(np.arange(prod(block.shape)).reshape(block.shape) + 1, block)
        factors = eqs.block(block, point)
        for i in rng.choice(index, min(4, len(index)), replace=False):
            where = np.unravel_index(order[i - block.offset] - 1, block.shape)
            split = ONE
            for axis, position in enumerate(where):
                split = mul(split, at(factors[axis], position))
            assert split == eq_bits(point, int(i))
    assert (taken == 1).all()


@settings(max_examples=40)
@given(SHAPES, st.integers(0, 2**32))
def test_written(shapes, seed):
    """Weights of one factor per axis, of joint factors and with internal labels, several on one block."""
    rng = np.random.default_rng(seed)
    blocks, used = place(shapes)
    terms, expected = [], [ZERO] * used
    for block in blocks:
        size = block.shape
        choices = [Weight(tuple(Factor((a,), words(rng, 2, d)) for a, d in enumerate(size)), point_of(rng, 1)[0])]
        choices.append(Weight((Factor(tuple(range(len(size))), words(rng, 2, *size)),)))
        inner = [Factor((a, -1), words(rng, 2, d, 3)) for a, d in enumerate(size)]
        choices.append(Weight(tuple(inner)))
        for weight in choices:
            terms.append((block, weight))
            values = weight.explicit(len(size)).reshape(2, -1)
            order = padded(np.arange(prod(size)).reshape(size) + 1, block)
            for i in order.nonzero()[0]:
                expected[block.offset + i] = add(expected[block.offset + i], at(values, int(order[i]) - 1))
    assert vectors.elements(written(terms, used)) == expected


@pytest.mark.parametrize("bits", [0, 1, 2, 7])
def test_eq_vector(bits):
    point = point_of(np.random.default_rng(bits), bits)
    assert vectors.elements(eq_vector(point)) == [eq_bits(point, i) for i in range(1 << bits)]


def test_inverses():
    elements = point_of(np.random.default_rng(0), 5)
    assert inverses(elements) == [inverse(e) for e in elements]
    with pytest.raises(ZeroDivisionError):
        inverses([ONE, ZERO])


@pytest.mark.parametrize("size", [2, 4, 64, 1 << 12])
@pytest.mark.parametrize("tables", [0.1, 0.7])
def test_fractions(size, tables):
    """Tables in the upper half or larger, and unused leaves: accepted, and the last claim is right."""
    rng = np.random.default_rng(size)
    used = size if size < 4 else int(size * 0.8)
    counted = used - max(1, int(used * tables))
    values = rng.integers(0, used - counted, counted)
    q = np.zeros((2, size), np.uint64)
    q[0] = 1
    q[0, :used] = np.concatenate([values, np.arange(used - counted)]) + 10
    q[1, :used] = 3
    p = np.zeros(size, np.uint64)
    p[:counted] = 1
    p[counted:used] = modular.from_integers(-np.bincount(values, minlength=used - counted))
    keep = p.copy(), q.copy()
    writer = Writer()
    made = prove_fractions(writer, Transcript(), p, q, counted, used)
    assert check_fractions(Reader(writer.bytes()), Transcript(), (size - 1).bit_length()) == made
    eq = vectors.eq_vector(made.point, size)
    assert vectors.dot(eq, vectors.embed(keep[0])) == made.numerator
    assert vectors.dot(eq, keep[1]) == made.denominator


@pytest.mark.parametrize(("length", "bits"), [(1, 1), (3, 2), (5, 3), (1000, 10), (20000, 15), (30000, 15)])
def test_inner_product(length, bits):
    rng = np.random.default_rng(length)
    vector, weights = words(rng, length), words(rng, 2, length)
    claim = vectors.dot(vectors.embed(vector), weights)
    writer = Writer()
    point = prove_inner_product(writer, Transcript(), vector, weights, bits, claim, "inner product")
    reached, last = check_inner_product(Reader(writer.bytes()), Transcript(), claim, bits, "inner product")
    eq = vectors.eq_vector(point, length)
    assert reached == point
    assert last == mul(vectors.dot(vectors.embed(vector), eq), vectors.dot(weights, eq))
