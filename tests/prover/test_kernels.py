# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every compiled loop beside its slow meaning, bit for bit.  A kernel without one fails the test."""

from __future__ import annotations

import copy
import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba.core.dispatcher import Dispatcher

from prover import kernels, sha
from tests.prover import reference
from verifier.proof import compiled, portable, vectors
from verifier.proof.commitment import RATE_BITS, coset_powers
from verifier.proof.field import P

EDGES = np.array([0, 1, 2, P - 1, P - 2, (1 << 32) - 1, 1 << 32, (1 << 32) + 1, 1 << 63, P - (1 << 32)], np.uint64)


def words(rng, *shape):
    """Residues, a third of them at the edges of what 32-bit halves and the modulus make special."""
    drawn = rng.integers(0, P, shape, dtype=np.uint64)
    return np.where(rng.integers(0, 3, shape) == 0, rng.choice(EDGES, shape), drawn)


def piece(rng, count):
    first = int(rng.integers(0, count + 1))
    return first, int(rng.integers(first, count + 1))


def _fill_leaves(rng, n):
    second = words(rng, n) if rng.integers(2) else words(rng, 0)
    valid = rng.integers(0, 2, n).astype(np.uint8)
    return words(rng, 2, n + 5), 3, words(rng, n), second, valid, words(rng, 2), words(rng, 2), words(rng, 2)


def _encode_columns(rng, n):
    log_columns, rows = int(rng.integers(1, 5)), n % 7 + 1
    powers = np.stack([coset_powers(log_columns, s) for s in range(1 << RATE_BITS)])
    out = np.zeros((1 << (log_columns + RATE_BITS), rows), np.uint64)
    return words(rng, rows, 1 << log_columns), powers, vectors.roots(log_columns), out, *piece(rng, rows)


CASES = {
    "fill_leaves": _fill_leaves,
    "add_fractions": lambda rng, n: (
        words(rng, 2, 2 * n), words(rng, 2, 2 * n), words(rng, 2, n), words(rng, 2, n), *piece(rng, n)
    ),
    "start_level": lambda rng, n: (
        words(rng, 2, 2 * n), words(rng, 2, 2 * n), words(rng, 2), words(rng, 8, n), *piece(rng, n)
    ),
    "fraction_round": lambda rng, n: (words(rng, 8, 2 * n + 1), 2 * n, words(rng, 2, n), *piece(rng, n)),
    "product_round": lambda rng, n: (words(rng, 2, 2 * n), words(rng, 2, 2 * n), 2 * n, words(rng, 2, n)),
    "inner_round": lambda rng, n: (words(rng, 4, 2 * n + 1), 2 * n, *piece(rng, n)),
    "inner_low": lambda rng, n: (words(rng, 4, n), *piece(rng, n)),
    "bind": lambda rng, n: (words(rng, 2 * int(rng.integers(1, 5)), 2 * n), 2 * n, words(rng, 2), *piece(rng, n)),
    "halve": lambda rng, n: (words(rng, 2, 2 * n), 2 * n),
    "scale_rows": lambda rng, n: (words(rng, 4, n), words(rng, 2), *piece(rng, n)),
    "accumulate": lambda rng, n: (words(rng, 2, n), words(rng, 2, n)),
    "combine_rows": lambda rng, n: (
        words(rng, n % 5 + 1, n), words(rng, 2, n % 5 + 1), words(rng, 2, n), *piece(rng, n)
    ),
    "combine_columns": lambda rng, n: (
        words(rng, n, n % 5 + 1), words(rng, 2, n % 5 + 1), words(rng, 2, n), *piece(rng, n)
    ),
    "encode_columns": _encode_columns,
}  # fmt: skip


def test_every_kernel_has_a_reference():
    found = {
        name
        for name, value in vars(kernels).items()
        if isinstance(value, Dispatcher) and value.py_func.__module__ == kernels.__name__
    }
    assert found == CASES.keys() == {name for name in CASES if hasattr(reference, name)}


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=25)
@given(st.integers(0, 1 << 30), st.integers(1, 20))
def test_kernel(name, seed, count):
    arguments = CASES[name](np.random.default_rng(seed), count)
    slow = copy.deepcopy(arguments)
    got, expected = getattr(kernels, name)(*arguments), getattr(reference, name)(*slow)
    assert (got is None) == (expected is None)
    if expected is not None:
        np.testing.assert_array_equal(got, expected)
    for ours, theirs in zip(arguments, slow, strict=True):  # what was written in place, and nothing else
        np.testing.assert_array_equal(ours, theirs)


@given(st.lists(st.integers(0, (1 << 64) - 1), min_size=4, max_size=4))
def test_settle(sums):
    low0, high0, low1, high1 = sums
    expected = (low0 + (high0 << 32)) % P, (low1 + (high1 << 32)) % P
    assert kernels.settle(np.array([7, 7, *sums], np.uint64), 2) == expected


@settings(max_examples=60)
@given(st.integers(1, 40), st.integers(0, 60), st.integers(0, 255), st.randoms(use_true_random=False))
def test_sha(count, length, suffix, random):
    data = [random.randbytes(4 * length) for _ in range(count)]
    messages = np.frombuffer(b"".join(data), "<u4").reshape(count, length)
    out = np.zeros((count, 8), "<u4")
    first = random.randrange(count + 1)
    sha.digests(messages, suffix, out, first, count)
    for i, message in enumerate(data):
        expected = hashlib.sha256(message + bytes([suffix])).digest() if i >= first else bytes(32)
        assert out[i].tobytes() == expected


SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 70), st.integers(1, 5))


@settings(max_examples=40)
@given(st.integers(0, 1 << 30), SHAPES)
def test_the_verifiers_backends_agree(seed, shape):
    """numba against numpy, over shapes that reach both of numpy's ways; `test_field` holds numpy to single elements."""
    rng, (x, n, y) = np.random.default_rng(seed), shape
    cube, vector = words(rng, 2, x, n, y), words(rng, 2, n)
    bits = (n - 1).bit_length()
    rows = words(rng, x, 1 << bits)
    cases = {
        "multiply": (words(rng, 2, n), words(rng, 2, n)),
        "outer": (words(rng, 2, x), vector),
        "eq_vector": (words(rng, 2, bits), n),
        "dot": (words(rng, 2, n), vector),
        "contract": (cube, vector),
        "sum_middle": (cube,),
        "matmul": (words(rng, 2, x, n), words(rng, 2, n, y)),
    }
    shared = {k for k, v in vars(compiled).items() if isinstance(v, Dispatcher)} & vars(portable).keys()
    assert shared == {*cases, "transform"}
    for name, arguments in cases.items():
        np.testing.assert_array_equal(getattr(compiled, name)(*arguments), getattr(portable, name)(*arguments), name)
    other = rows.copy()
    compiled.transform(rows, vectors.roots(bits))
    portable.transform(other, vectors.roots(bits))
    np.testing.assert_array_equal(rows, other)
