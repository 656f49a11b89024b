# SPDX-License-Identifier: AGPL-3.0-or-later
"""Compiled loops and layouts against their meaning in Python integers."""

from __future__ import annotations

import hashlib
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prover import code_kernels, inner_kernels, kernels, sha
from prover.functional import eq_vector, written
from prover.inner_product import prove_inner_product
from prover.lookup import inverses, padded, prove_fractions
from prover.messages import Writer
from verifier.proof import commitment, modular, vectors
from verifier.proof.claims import EqVectors
from verifier.proof.field import ONE, ZERO, P, add, eq_bits, inverse, mul
from verifier.proof.layout import place
from verifier.proof.lookup import check_fractions
from verifier.proof.sumcheck import check_inner_product
from verifier.proof.transcript import Transcript
from verifier.proof.weight import Factor, Weight
from verifier.proof.wire import Reader

EDGES = [0, 1, P - 1, P - 2, (1 << 32) - 1, 1 << 32, P >> 1]
SHAPES = st.lists(st.lists(st.integers(1, 7), min_size=1, max_size=4).map(tuple), min_size=1, max_size=6)


def words(rng, *shape):
    """Random residues, edge cases among them."""
    out = rng.integers(0, P, shape, dtype=np.uint64)
    flat = out.reshape(-1)
    where = rng.integers(0, flat.size, min(flat.size, 40))
    flat[where] = rng.choice(np.array(EDGES, np.uint64), len(where))
    return out


def at(array, *index):
    """One element of [2, ...]."""
    return int(array[(0, *index)]), int(array[(1, *index)])


def point_of(rng, count):
    """A random point."""
    return [(int(a), int(b)) for a, b in rng.integers(0, P, (count, 2), dtype=np.uint64)]


def total(elements):
    """Sum of elements."""
    out = ZERO
    for e in elements:
        out = add(out, e)
    return out


@pytest.mark.parametrize(("count", "length"), [(1, 4), (5, 52), (16, 56), (17, 60), (33, 64), (40, 120), (3, 1000)])
def test_sha(count, length):
    rng = np.random.default_rng(length)
    messages = np.frombuffer(rng.bytes(count * length), "<u4").reshape(count, -1)
    for suffix in (0, 1, 255):
        out = np.zeros((count, 8), "<u4")
        sha.digests(messages, suffix, out)
        for message, digest in zip(messages, out, strict=True):
            assert digest.tobytes() == hashlib.sha256(message.tobytes() + bytes([suffix])).digest()


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


def test_rounds():
    """Sums over pairs, before and after binding, for leaves and for other levels."""
    rng = np.random.default_rng(1)
    m = 1 << 11  # longer than a chunk
    p, q, eq = words(rng, 2, 2, m), words(rng, 2, 2, m), words(rng, 2, m // 2)
    d = np.ascontiguousarray(p[:, 1:])
    d[:, :, 1300:], q[:, 1, 1300:] = np.array([[[5]], [[6]]]), np.array([[1], [0]])  # as behind the used leaves
    r = point_of(rng, 1)[0]

    def bound(x, j, size):
        low, high = at(x, j), at(x, j + size // 2)
        return add(mul((1 - r[0], -r[1]), low), mul(r, high))

    def sums(f, count, weights):
        """Values at 0 and leading coefficients of f(j, 0 or 1)."""
        low, leading = [], []
        for j in range(count):
            low.append(mul(weights[j], f(j)[0]))
            leading.append(mul(weights[j], f(j)[1]))
        return [total(low), total(leading)]

    def quadratic(pairs):
        """Sum of products of lines (at 0, at 1): value at 0 and leading coefficient."""
        low = total(mul(x[0], y[0]) for x, y in pairs)
        return low, total(mul(add(x[1], (-x[0][0], -x[0][1])), add(y[1], (-y[0][0], -y[0][1]))) for x, y in pairs)

    half = m // 2
    weights = [at(eq, j) for j in range(half)]
    line = lambda x, j: (at(x, j), at(x, j + half))  # noqa: E731
    inner = lambda j: quadratic([(line(p[:, 0], j), line(q[:, 1], j)), (line(q[:, 0], j), line(p[:, 1], j))])  # noqa: E731
    leaf = lambda j: quadratic([((ONE, ONE), line(q[:, 1], j)), (line(q[:, 0], j), line(d[:, 0], j))])  # noqa: E731
    assert kernels.settle([kernels.fraction_round(p, q, m, eq, 0, half)]) == sums(inner, half, weights)
    assert kernels.settle([kernels.leaf_round(d, q, m, eq, 0, half)]) == sums(leaf, half, weights)

    quarter = half // 2
    folded = [add(weights[j], weights[j + quarter]) for j in range(quarter)]
    both = {k: [bound(x, j, m) for j in range(half)] for k, x in {"a": p[:, 0], "b": q[:, 1], "c": q[:, 0]}.items()}
    both |= {"d": [bound(p[:, 1], j, m) for j in range(half)], "e": [bound(d[:, 0], j, m) for j in range(half)]}
    after = lambda k, j: (both[k][j], both[k][j + quarter])  # noqa: E731
    inner2 = lambda j: quadratic([(after("a", j), after("b", j)), (after("c", j), after("d", j))])  # noqa: E731
    leaf2 = lambda j: quadratic([((ONE, ONE), after("b", j)), (after("c", j), after("e", j))])  # noqa: E731
    word = np.array(r, np.uint64)
    for v, f, filled in ((p, inner2, m), (d, leaf2, 1300)):
        own, other, eqs = v.copy(), q.copy(), eq.copy()
        parts = [
            kernels.fraction_step(own, other, m, filled, word, eqs, *piece) for piece in ((0, 100), (100, quarter))
        ]
        assert kernels.settle(parts) == sums(f, quarter, folded)
        assert vectors.elements(other[:, 0, :half]) == both["c"]
        assert vectors.elements(other[:, 1, :half]) == both["b"]


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


@pytest.mark.parametrize("log_columns", [1, 2, 5, 8])
def test_encoding(log_columns):
    rng = np.random.default_rng(log_columns)
    matrix = words(rng, 21, 1 << log_columns)
    out = np.zeros((4 << log_columns, 21), np.uint64)
    powers = np.stack([commitment.coset_powers(log_columns, s) for s in range(4)])
    for piece in ((0, 9), (9, 21)):
        code_kernels.encode_columns(matrix, powers, vectors.roots(log_columns), out, *piece)
    assert np.array_equal(out.T, commitment.encode(matrix, log_columns))


def test_sums_are_exact():
    """The largest digits, many times."""
    count = 1 << 12
    largest = np.full((2, 2, count), P - 1, np.uint64)
    (value, _) = kernels.settle([inner_kernels.inner_round(largest, 2, 0, 1)])
    assert value == mul((P - 1, P - 1), (P - 1, P - 1))
    parts = [inner_kernels.inner_low(largest, 0, count)] * 3
    assert kernels.settle(parts)[0] == tuple(3 * count * x % P for x in value)
