# SPDX-License-Identifier: AGPL-3.0-or-later
"""`portable`, compiled by numba: the same functions, the same results, where numba is installed.

`add`, `sub`, `mul` work on single words and are inlined into the prover's kernels as well.  Extension arrays are two
contiguous halves (all first coordinates, then all second ones), which the compiler turns into vector instructions.
"""

from __future__ import annotations

import numba as nb
import numpy as np

from verifier.proof.field import P

_P = np.uint64(P)
_EPSILON = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_SEVEN = np.uint64(7)
_ZERO = np.uint64(0)
_ONE = np.uint64(1)


@nb.njit(inline="always")
def add(a, b):
    """a + b mod p"""
    r = a + b
    r = r + _EPSILON if r < a else r
    return r - _P if r >= _P else r


@nb.njit(inline="always")
def sub(a, b):
    """a - b mod p"""
    return a - b + _P if a < b else a - b


@nb.njit(inline="always")
def reduce(high, low):
    """high * 2^64 + low mod p"""
    top = high >> _HALF
    rest = low - top
    rest = rest - _EPSILON if low < top else rest
    product = (high & _EPSILON) * _EPSILON
    r = rest + product
    r = r + _EPSILON if r < product else r
    return r - _P if r >= _P else r


@nb.njit(inline="always")
def mul(a, b):
    """a * b mod p"""
    a_low = a & _EPSILON
    a_high = a >> _HALF
    b_low = b & _EPSILON
    b_high = b >> _HALF
    low = a_low * b_low
    middle = a_low * b_high + (low >> _HALF)
    cross = a_high * b_low + (middle & _EPSILON)
    return reduce(a_high * b_high + (middle >> _HALF) + (cross >> _HALF), (cross << _HALF) | (low & _EPSILON))


@nb.njit(inline="always")
def digits(a, b):
    """a * b = x + y*2^32 + w*2^64 + v*2^96, not carried: y, w below 3 * 2^32, x, v below 2^32."""
    a_low = a & _EPSILON
    a_high = a >> _HALF
    b_low = b & _EPSILON
    b_high = b >> _HALF
    low = a_low * b_low
    one = a_low * b_high
    two = a_high * b_low
    high = a_high * b_high
    return (
        low & _EPSILON,
        (low >> _HALF) + (one & _EPSILON) + (two & _EPSILON),
        (one >> _HALF) + (two >> _HALF) + (high & _EPSILON),
        high >> _HALF,
    )


@nb.njit(inline="always")
def plus(d, e):
    """Sum of digits."""
    return d[0] + e[0], d[1] + e[1], d[2] + e[2], d[3] + e[3]


@nb.njit(inline="always")
def carried(d):
    """Digits below 2^39 as a word modulo p: 2^64 = 2^32 - 1 and 2^96 = -1."""
    middle = d[1] + d[2]
    negative = d[2] + d[3]
    rest = d[0] + (middle >> _HALF) * _EPSILON
    r = (middle << _HALF) + rest
    r = r + _EPSILON if r < rest else r
    r = r - negative - _EPSILON if r < negative else r - negative
    return r - _P if r >= _P else r


@nb.njit(inline="always")
def digits0(a0, a1, b0, b1):
    """First coordinate of (a0, a1) * (b0, b1), each digit below 2^37."""
    d = digits(a1, b1)
    return plus(digits(a0, b0), (_SEVEN * d[0], _SEVEN * d[1], _SEVEN * d[2], _SEVEN * d[3]))


@nb.njit(inline="always")
def digits1(a0, a1, b0, b1):
    """Second coordinate of (a0, a1) * (b0, b1), each digit below 2^35."""
    return plus(digits(a0, b1), digits(a1, b0))


@nb.njit(inline="always")
def mul0(a0, a1, b0, b1):
    """First coordinate of (a0, a1) * (b0, b1)."""
    return carried(digits0(a0, a1, b0, b1))


@nb.njit(inline="always")
def mul1(a0, a1, b0, b1):
    """Second coordinate of (a0, a1) * (b0, b1)."""
    return carried(digits1(a0, a1, b0, b1))


@nb.njit(inline="always")
def pair(a, b, c, d):
    """a*b + c*d mod p"""
    return carried(plus(digits(a, b), digits(c, d)))


@nb.njit(inline="always")
def dot0(a0, a1, b0, b1, c0, c1, d0, d1):
    """First coordinate of (a0, a1) * (b0, b1) + (c0, c1) * (d0, d1)."""
    return carried(plus(digits0(a0, a1, b0, b1), digits0(c0, c1, d0, d1)))


@nb.njit(inline="always")
def dot1(a0, a1, b0, b1, c0, c1, d0, d1):
    """Second coordinate of (a0, a1) * (b0, b1) + (c0, c1) * (d0, d1)."""
    return carried(plus(digits1(a0, a1, b0, b1), digits1(c0, c1, d0, d1)))


@nb.njit(cache=True)
def multiply(a, b):
    """Element by element: a, b [2, n] -> [2, n]."""
    out = np.empty_like(a)
    for i in range(a.shape[1]):
        x = mul0(a[0, i], a[1, i], b[0, i], b[1, i])
        y = mul1(a[0, i], a[1, i], b[0, i], b[1, i])
        out[0, i] = x
        out[1, i] = y
    return out


@nb.njit(cache=True)
def outer(a, b):
    """a [2, n], b [2, m] -> [2, n*m]."""
    n, m = a.shape[1], b.shape[1]
    out = np.empty((2, n * m), np.uint64)
    for i in range(n):
        a0, a1 = a[0, i], a[1, i]
        for j in range(m):
            out[0, i * m + j] = mul0(a0, a1, b[0, j], b[1, j])
            out[1, i * m + j] = mul1(a0, a1, b[0, j], b[1, j])
    return out


@nb.njit(cache=True)
def eq_vector(point, length):
    """eq(point, .) at 0 .. length-1, the first coordinate being the highest bit: point [2, k] -> [2, length]."""
    k = point.shape[1]
    out = np.zeros((2, length), np.uint64)
    out[0, 0] = _ONE
    size = 1
    for i in range(k):  # out holds eq of the first i coordinates, times 2^(k-i) strides once all are done
        r0, r1 = point[0, i], point[1, i]
        shift = k - 1 - i
        grown = min(((length - 1) >> shift) + 1, 2 * size)
        for j in range((grown - 1) // 2, -1, -1):
            v0, v1 = out[0, j], out[1, j]
            h0 = mul0(v0, v1, r0, r1)
            h1 = mul1(v0, v1, r0, r1)
            if 2 * j + 1 < grown:
                out[0, 2 * j + 1] = h0
                out[1, 2 * j + 1] = h1
            out[0, 2 * j] = sub(v0, h0)
            out[1, 2 * j] = sub(v1, h1)
        size = grown
    return out


@nb.njit(cache=True)
def dot(a, b):
    """sum of a_i * b_i: a, b [2, n] -> [2]."""
    s0 = _ZERO
    s1 = _ZERO
    for i in range(a.shape[1]):
        s0 = add(s0, mul0(a[0, i], a[1, i], b[0, i], b[1, i]))
        s1 = add(s1, mul1(a[0, i], a[1, i], b[0, i], b[1, i]))
    return np.array([s0, s1], np.uint64)


@nb.njit(cache=True)
def contract(a, b):
    """a [2, x, n, y], b [2, n] -> sum over n: [2, x, y]."""
    _, xs, n, ys = a.shape
    out = np.zeros((2, xs, ys), np.uint64)
    for x in range(xs):
        for i in range(n):
            b0, b1 = b[0, i], b[1, i]
            for y in range(ys):
                a0, a1 = a[0, x, i, y], a[1, x, i, y]
                out[0, x, y] = add(out[0, x, y], mul0(a0, a1, b0, b1))
                out[1, x, y] = add(out[1, x, y], mul1(a0, a1, b0, b1))
    return out


@nb.njit(cache=True)
def sum_middle(a):
    """a [2, x, n, y] -> sum over n: [2, x, y]."""
    _, xs, n, ys = a.shape
    out = np.zeros((2, xs, ys), np.uint64)
    for k in range(2):
        for x in range(xs):
            for i in range(n):
                for y in range(ys):
                    out[k, x, y] = add(out[k, x, y], a[k, x, i, y])
    return out


@nb.njit(cache=True)
def matmul(a, b):
    """a [2, x, n] @ b [2, n, y] -> [2, x, y]."""
    _, xs, n = a.shape
    ys = b.shape[2]
    out = np.zeros((2, xs, ys), np.uint64)
    for x in range(xs):
        for i in range(n):
            a0, a1 = a[0, x, i], a[1, x, i]
            for y in range(ys):
                b0, b1 = b[0, i, y], b[1, i, y]
                out[0, x, y] = add(out[0, x, y], mul0(a0, a1, b0, b1))
                out[1, x, y] = add(out[1, x, y], mul1(a0, a1, b0, b1))
    return out


@nb.njit(cache=True)
def transform(rows, roots):
    """In place, each row [n]: coefficients in order -> values at w^i in bit-reversed order of i."""
    count, n = rows.shape
    for r in range(count):
        row = rows[r]
        half = n >> 1
        while half:
            for start in range(0, n, 2 * half):
                for j in range(half):
                    u = row[start + j]
                    v = row[start + half + j]
                    row[start + j] = add(u, v)
                    row[start + half + j] = mul(sub(u, v), roots[half - 1 + j])
            half >>= 1
