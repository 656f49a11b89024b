# SPDX-License-Identifier: AGPL-3.0-or-later
"""The field against naive polynomial arithmetic, and the vector backends against the scalars."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifier.proof import compiled, field, modular, portable, vectors
from verifier.proof.field import P

words = st.one_of(st.integers(0, P - 1), st.sampled_from([0, 1, 2, P - 1, P - 2, (1 << 32) - 1, 1 << 32, 1 << 63]))
elements = st.tuples(words, words)
BACKENDS = pytest.mark.parametrize("backend", [portable, compiled], ids=["numpy", "numba"])


def test_parameters():
    assert P == 2**64 - 2**32 + 1
    assert all(pow(a, P - 1, P) == 1 for a in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37))
    # p - 1 = 2^32 * 3 * 5 * 17 * 257 * 65537, and 7 generates: Pocklington's criterion proves p prime.
    for q in (2, 3, 5, 17, 257, 65537):
        assert (P - 1) % q == 0
        assert pow(7, (P - 1) // q, P) != 1
    assert (P - 1) == 2**32 * 3 * 5 * 17 * 257 * 65537
    assert pow(7, (P - 1) // 2, P) == P - 1  # no square: X^2 - 7 is irreducible
    assert field.root_of_unity(32) == 1753635133440165772  # the root that Plonky2 and Winterfell use


@given(elements, elements)
def test_multiplication(a, b):
    product = [0, 0, 0]
    for i in range(2):
        for j in range(2):
            product[i + j] += a[i] * b[j]
    assert field.mul(a, b) == ((product[0] + 7 * product[2]) % P, product[1] % P)


@given(elements, elements, elements)
def test_ring_laws_and_inverse(a, b, c):
    assert field.mul(a, field.add(b, c)) == field.add(field.mul(a, b), field.mul(a, c))
    assert field.sub(field.add(a, b), b) == a
    if a == (0, 0):
        with pytest.raises(ZeroDivisionError):
            field.inverse(a)
    else:
        assert field.mul(a, field.inverse(a)) == field.ONE


@given(elements, elements, elements, elements)
def test_interpolation(a, b, c, t):
    def g(x):  # a + b*x + c*x^2
        return field.add(a, field.mul(x, field.add(b, field.mul(x, c))))

    assert field.quadratic(g(field.ZERO), g(field.ONE), c, t) == g(t)
    assert field.interpolate(a, b, t) == field.add(field.mul(field.sub(field.ONE, t), a), field.mul(t, b))


@BACKENDS
@given(st.lists(st.tuples(elements, elements), min_size=1, max_size=20))
def test_vectors(backend, pairs):
    a, b = (vectors.array([p[i] for p in pairs]) for i in range(2))
    products = [field.mul(x, y) for x, y in pairs]
    assert vectors.elements(backend.multiply(a, b)) == products
    total = field.ZERO
    for x in products:
        total = field.add(total, x)
    assert vectors.element(backend.dot(a, b)) == total
    outer = [field.mul(x, y) for x, _ in pairs for _, y in pairs]
    assert vectors.elements(backend.outer(a, b)) == outer
    assert vectors.elements(backend.matmul(a.reshape(2, -1, 1), b.reshape(2, 1, -1)).reshape(2, -1)) == outer
    summed = backend.sum_middle(a.reshape(2, 1, -1, 1)).reshape(2)
    expected = field.ZERO
    for x, _ in pairs:
        expected = field.add(expected, x)
    assert vectors.element(summed) == expected
    cube = backend.outer(a, b).reshape(2, 1, len(pairs), len(pairs))
    for y, got in enumerate(vectors.elements(backend.contract(cube, b)[:, 0])):
        expected = field.ZERO
        for i in range(len(pairs)):
            expected = field.add(expected, field.mul(outer[i * len(pairs) + y], pairs[i][1]))
        assert got == expected


@BACKENDS
@given(st.lists(elements, max_size=5), st.data())
def test_eq_vector(backend, point, data):
    length = data.draw(st.integers(1, 1 << len(point)))
    got = backend.eq_vector(vectors.array(point).reshape(2, -1), length)
    assert vectors.elements(got) == [field.eq_bits(point, i) for i in range(length)]


@BACKENDS
@pytest.mark.parametrize("log_size", range(7))
def test_transform(backend, log_size):
    rng = np.random.default_rng(log_size)
    rows = rng.integers(0, P, (2, 1 << log_size), dtype=np.uint64)
    got = rows.copy()
    backend.transform(got, vectors.roots(log_size))
    w = field.root_of_unity(log_size)
    for row, values in zip(rows.tolist(), got.tolist(), strict=True):
        for i, value in enumerate(values):
            exponent = int(format(i, f"0{log_size}b")[::-1], 2) if log_size else 0
            assert value == sum(c * pow(w, exponent * j, P) for j, c in enumerate(row)) % P


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_from_integers(values):
    assert modular.from_integers(np.array(values, np.int64)).tolist() == [v % P for v in values]


@pytest.mark.parametrize("largest", [1, 127, 2**15, 2**24, 2**40, 2**52])
def test_fold_is_exact(largest):
    rng = np.random.default_rng(largest % 1000)
    matrix = rng.integers(-largest, largest + 1, (9, 4))
    values = rng.integers(0, P, (2, 3, 9), dtype=np.uint64)
    got = vectors.fold_exact(values, matrix)
    for k in range(2):
        for x in range(3):
            for y in range(4):
                terms = zip(values[k, x].tolist(), matrix[:, y].tolist(), strict=True)
                assert int(got[k, x, y]) == sum(a * b for a, b in terms) % P


def test_fold_splits_long_sums():
    rng = np.random.default_rng(3)
    values, matrix = (
        rng.integers(0, P, (2, 1, 1 << 18), dtype=np.uint64),
        rng.integers(-(2**52), 2**52, (1 << 18, 1)),
    )
    got = vectors.fold_exact(values, matrix)
    terms = zip(values[0, 0].tolist(), matrix[:, 0].tolist(), strict=True)
    assert int(got[0, 0, 0]) == sum(a * b for a, b in terms) % P
