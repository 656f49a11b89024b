# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every compiled loop beside its slow meaning, bit for bit.  A kernel without one fails the test."""

from __future__ import annotations

import copy
import hashlib
import importlib
import pkgutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba.core.dispatcher import Dispatcher

import prover
from prover import code_kernels, inner_kernels, kernels, sha
from tests.prover import reference
from tests.prover.edges import words
from verifier.proof import commitment, vectors
from verifier.proof.commitment import RATE_BITS, coset_powers
from verifier.proof.field import P, mul


def integers(rng, *shape):
    """Integers of both signs."""
    return rng.integers(-(1 << 62), 1 << 62, shape)


def piece(rng, count):
    """first, last"""
    first = int(rng.integers(0, count + 1))
    return first, int(rng.integers(first, count + 1))


def _fill_leaves(rng, n):
    second = integers(rng, n) if rng.integers(2) else integers(rng, 0)
    valid = rng.integers(0, 2, n).astype(np.uint8)
    return words(rng, 2, n + 5), 3, integers(rng, n), second, valid, *(words(rng, 2) for _ in range(4)), *piece(rng, n)


def _fraction_step(rng, n):
    """Leaves or another level, now and then longer than the chunks in which the kernel works."""
    quarter = n if rng.integers(4) else 500 + 10 * n
    size = 4 * quarter
    v, q, filled = words(rng, 2, int(rng.integers(1, 3)), size), words(rng, 2, 2, size), size
    if v.shape[1] == 1:
        filled = int(rng.integers(0, size + 1))
        v[:, 0, filled:], q[:, 1, filled:] = words(rng, 2, 1), words(rng, 2, 1)
    return v, q, size, filled, words(rng, 2), words(rng, 2, 2 * quarter), *piece(rng, quarter)


def _first_bind(rng, n):
    used = int(rng.integers(1, 2 * n + 1))
    out = words(rng, 2, 2, min(n, used))
    return words(rng, used), words(rng, 2, used), 2 * n, words(rng, 2), out, *piece(rng, min(n, used))


def _outer(rng, n):
    m = n % 4 + 1
    return words(rng, 2, m), words(rng, 2, n), *piece(rng, m)


def _encode_columns(rng, n):
    log_columns, rows = int(rng.integers(1, 5)), n % 7 + 1
    powers = np.stack([coset_powers(log_columns, s) for s in range(1 << RATE_BITS)])
    out = np.zeros((1 << (log_columns + RATE_BITS), rows), np.uint64)
    return words(rng, rows, 1 << log_columns), powers, vectors.roots(log_columns), out, *piece(rng, rows)


def _transform(rng, n):
    log_columns = n % 6 + 1
    return words(rng, 1 << log_columns, int(rng.integers(1, 10))), vectors.roots(log_columns)


def _digests(rng, n):
    messages = rng.integers(0, 1 << 32, (2 * n, int(rng.integers(0, 60))), np.uint32)
    return messages, int(rng.integers(256)), np.zeros((2 * n, 8), np.uint32), *piece(rng, 2 * n), sha._H


def _adding(p_shape):
    return lambda rng, n: (
        words(rng, *p_shape, n), words(rng, 2, 2, n), words(rng, 2, n), words(rng, 2, n), *piece(rng, n)
    )  # fmt: skip


CASES = {
    kernels: {
        "residue": lambda rng, n: (int(integers(rng)),),
        "fill_leaves": _fill_leaves,
        "add_leaves": _adding((2,)),
        "add_fractions": _adding((2, 2)),
        "start_leaves": lambda rng, n: (
            words(rng, 2, n), words(rng, 2, 2, n), words(rng, 2), words(rng, 2, 1, n), *piece(rng, n)
        ),
        "start_level": lambda rng, n: (words(rng, 2, 2, n), words(rng, 2, 2, n), words(rng, 2), *piece(rng, n)),
        "leaf_round": lambda rng, n: (
            words(rng, 2, 1, 3 * n), words(rng, 2, 2, 3 * n), 2 * n, words(rng, 2, 2 * n), *piece(rng, n)
        ),
        "leaf_low": lambda rng, n: (words(rng, 2, 1, n), words(rng, 2, 2, n), words(rng, 2, n), *piece(rng, n)),
        "fraction_round": lambda rng, n: (
            words(rng, 2, 2, 3 * n), words(rng, 2, 2, 3 * n), 2 * n, words(rng, 2, 2 * n), *piece(rng, n)
        ),
        "fraction_step": _fraction_step,
        "product_round": lambda rng, n: (words(rng, 2, 2, 3 * n), 2 * n, words(rng, 2, n)),
        "bind": lambda rng, n: (
            words(rng, 2, 3, 2 * n), int(rng.integers(1, 4)), 2 * n, words(rng, 2), *piece(rng, n)
        ),
    },
    inner_kernels: {
        "first_round": lambda rng, n: (words(rng, 2 * n), words(rng, 2, 2 * n), 2 * n, *piece(rng, n)),
        "first_bind": _first_bind,
        "first_low": lambda rng, n: (words(rng, n), words(rng, 2, n), *piece(rng, n)),
        "inner_round": lambda rng, n: (words(rng, 2, 2, 3 * n), 2 * n, *piece(rng, n)),
        "inner_low": lambda rng, n: (words(rng, 2, 2, n), *piece(rng, n)),
        "scale": lambda rng, n: (words(rng, 2, n % 3 + 1, n), words(rng, 2), *piece(rng, n)),
        "outer": lambda rng, n: (words(rng, 2, (n % 4 + 1) * n), *_outer(rng, n)),
        "add_outer": lambda rng, n: (words(rng, 2, 7 + (n % 4 + 1) * n), 5, *_outer(rng, n)),
    },
    code_kernels: {
        "combine_rows": lambda rng, n: (
            words(rng, n % 5 + 1, n), words(rng, 2, n % 5 + 1), words(rng, 2, n), *piece(rng, n)
        ),
        "combine_columns": lambda rng, n: (
            words(rng, n, n % 5 + 1), words(rng, 2, n % 5 + 1), words(rng, 2, n), *piece(rng, n)
        ),
        "encode_columns": _encode_columns,
        "_transform": _transform,
    },
    sha: {"_swap": lambda rng, n: (np.uint32(rng.integers(1 << 32)),), "_digests": _digests},
}  # fmt: skip


def test_every_kernel_has_a_reference():
    """All of the package, wherever a kernel is added."""
    found = {
        (module.__name__, name)
        for module in (importlib.import_module(f"prover.{m.name}") for m in pkgutil.iter_modules(prover.__path__))
        for name, value in vars(module).items()
        if isinstance(value, Dispatcher) and value.py_func.__module__ == module.__name__
    }
    assert found == {(module.__name__, name) for module, cases in CASES.items() for name in cases}
    names = [name for _, name in found]
    assert len(set(names)) == len(names) and all(hasattr(reference, name) for name in names)


@pytest.mark.parametrize(
    ("module", "name"), [pytest.param(module, name, id=name) for module, cases in CASES.items() for name in cases]
)
@settings(max_examples=25)
@given(st.integers(0, 1 << 30), st.integers(1, 20))
def test_kernel(module, name, seed, count):
    arguments = CASES[module][name](np.random.default_rng(seed), count)
    slow = copy.deepcopy(arguments)
    got, expected = getattr(module, name)(*arguments), getattr(reference, name)(*slow)
    assert (kernels.settle([got]) if isinstance(got, np.ndarray) else got) == expected  # sums come as digits
    for ours, theirs in zip(arguments, slow, strict=True):  # what was written in place, and nothing else
        np.testing.assert_array_equal(ours, theirs)


def test_a_long_level_is_bound_in_pieces():
    """Chunks and threads' pieces together, with the end of what is filled inside one."""
    rng = np.random.default_rng(1)
    v, q, eq, r = words(rng, 2, 1, 1 << 12), words(rng, 2, 2, 1 << 12), words(rng, 2, 1 << 11), words(rng, 2)
    v[:, :, 1300:], q[:, 1, 1300:] = np.array([[[5]], [[6]]]), np.array([[1], [0]])
    slow = v.copy(), q.copy(), 1 << 12, 1300, r, eq.copy(), 0, 1 << 10
    parts = [kernels.fraction_step(v, q, 1 << 12, 1300, r, eq, *ends) for ends in ((0, 100), (100, 1 << 10))]
    assert kernels.settle(parts) == reference.fraction_step(*slow)
    np.testing.assert_array_equal(q, slow[1])
    np.testing.assert_array_equal(v, slow[0])


def test_sums_are_exact():
    """The largest digits, many times."""
    count = 1 << 12
    largest = np.full((2, 2, count), P - 1, np.uint64)
    (value, _) = kernels.settle([inner_kernels.inner_round(largest, 2, 0, 1)])
    assert value == mul((P - 1, P - 1), (P - 1, P - 1))
    parts = [inner_kernels.inner_low(largest, 0, count)] * 3
    assert kernels.settle(parts)[0] == tuple(3 * count * x % P for x in value)


@given(st.lists(st.lists(st.integers(0, (1 << 64) - 1), min_size=8, max_size=8), min_size=1, max_size=3))
def test_settle(parts):
    values = [[sum(d << (32 * i) for i, d in enumerate(p[k : k + 4])) for k in (0, 4)] for p in parts]
    expected = tuple(sum(v[k] for v in values) % P for k in range(2))
    assert kernels.settle(np.array([p], np.uint64).reshape(1, 2, 4) for p in parts) == [expected]


@pytest.mark.parametrize("log_columns", [1, 2, 5, 8])
def test_encoding(log_columns):
    """Both sides' codes, over more rows than are encoded side by side."""
    rng = np.random.default_rng(log_columns)
    rows = 150 if log_columns < 8 else 70
    matrix = words(rng, rows, 1 << log_columns)
    out = np.zeros((4 << log_columns, rows), np.uint64)
    powers = np.stack([coset_powers(log_columns, s) for s in range(4)])
    for ends in ((0, 9), (9, rows)):
        code_kernels.encode_columns(matrix, powers, vectors.roots(log_columns), out, *ends)
    assert np.array_equal(out.T, commitment.encode(matrix, log_columns))


@pytest.mark.parametrize(("count", "length"), [(1, 4), (5, 52), (16, 56), (17, 60), (33, 64), (40, 120), (3, 1000)])
def test_sha(count, length):
    """Lengths around those at which a block more is needed."""
    messages = np.frombuffer(np.random.default_rng(length).bytes(count * length), "<u4").reshape(count, -1)
    for suffix in (0, 1, 255):
        out = np.zeros((count, 8), "<u4")
        sha.digests(messages, suffix, out)
        for message, digest in zip(messages, out, strict=True):
            assert digest.tobytes() == hashlib.sha256(message.tobytes() + bytes([suffix])).digest()
