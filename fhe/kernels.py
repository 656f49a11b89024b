# SPDX-License-Identifier: AGPL-3.0-or-later
"""Compiled loops over residues: products, sums and reductions modulo primes below 2^61.

Integer arithmetic alone, so results are the same bits on every machine: Shoup's products by constants, Montgomery's
products of variables, Barrett's reductions.
"""

# mypy: disallow-untyped-defs=False, disallow-untyped-decorators=False, disallow-untyped-calls=False

from __future__ import annotations

import numpy as np
from numba import njit, uint64


@njit(cache=True, inline="always")
def high(a, b):
    """Upper 64 bits of a product of 64-bit integers."""
    mask, shift = uint64(0xFFFFFFFF), uint64(32)
    a0, a1, b0, b1 = a & mask, a >> shift, b & mask, b >> shift
    low, cross, other, top = a0 * b0, a0 * b1, a1 * b0, a1 * b1
    middle = (low >> shift) + (cross & mask) + other
    return top + (cross >> shift) + (middle >> shift)


@njit(cache=True, inline="always")
def _montgomery(x, y, q, qi):
    """x*y / 2^64 mod q in [0, 2q) for x*y < 2^64 q; qi = -1/q mod 2^64.

    The low halves cancel: their sum carries unless the low product is zero.
    """
    low = x * y
    return high(x, y) + high(low * qi, q) + uint64(low != uint64(0))


@njit(cache=True)
def scale_by(rows, w, wp, q):
    """In place: rows [r, n] times the constant w (wp its Shoup quotient), below q."""
    for r in range(rows.shape[0]):
        a = rows[r]
        for j in range(a.shape[0]):
            x = a[j] * w - high(a[j], wp) * q
            a[j] = min(x, x - q)


@njit(cache=True)
def _accumulate(total, x, y, q, qi):
    twice = q + q
    for j in range(total.shape[0]):
        s = total[j] + _montgomery(x[j], y[j], q, qi)
        total[j] = min(s, s - twice)


@njit(cache=True)
def accumulate(total, x, y, q, qi):
    """total [n] += x * y / 2^64: x below q, y below q in Montgomery form, total in [0, 2q) before and after."""
    _accumulate(total, x, y, q, qi)


@njit(cache=True)
def settle(rows, q):
    """In place: [0, 2q) -> [0, q)."""
    for r in range(rows.shape[0]):
        a = rows[r]
        for j in range(a.shape[0]):
            a[j] = min(a[j], a[j] - q)


@njit(cache=True)
def lift(source, target, q, ratio):
    """target [n] = source [n] mod q for any 64-bit source; ratio = floor(2^64 / q)."""
    for j in range(source.shape[0]):
        x = source[j] - high(source[j], ratio) * q
        x = min(x, x - q)
        target[j] = min(x, x - q)


@njit(cache=True)
def lift_centred(source, half, shift, target, q, ratio):
    """target [n] = source [n] mod q, where a source above `half` stands for source - p; shift = p mod q."""
    for j in range(source.shape[0]):
        x = source[j] - high(source[j], ratio) * q
        x = min(x, x - q)
        x = min(x, x - q)
        d = x - shift * uint64(source[j] > half)
        target[j] = min(d, d + q)


@njit(cache=True)
def drop(row, last, half, ratio, q):
    """row [n] <- (last mod q) - (half mod q) mod q: the rounded part to subtract; `last` already holds + half."""
    h = half - high(half, ratio) * q
    h = min(h, h - q)
    h = min(h, h - q)
    for j in range(row.shape[0]):
        x = last[j] - high(last[j], ratio) * q
        x = min(x, x - q)
        x = min(x, x - q)
        d = x - h
        row[j] = min(d, d + q)


@njit(cache=True)
def add_half(row, half, q):
    """In place: row [n] + half mod q."""
    for j in range(row.shape[0]):
        s = row[j] + half
        row[j] = min(s, s - q)


@njit(cache=True)
def subtract_scaled(row, part, w, wp, q):
    """row [n] <- (row - part) * w mod q."""
    for j in range(row.shape[0]):
        d = row[j] - part[j] + q
        x = d * w - high(d, wp) * q
        row[j] = min(x, x - q)


@njit(cache=True)
def add(target, source, q):
    """target [n] += source mod q."""
    for j in range(target.shape[0]):
        s = target[j] + source[j]
        target[j] = min(s, s - q)


@njit(cache=True)
def linear_layer(out, x, y, q, qi):
    """out [outputs, 2, k, n] = sum over inputs of y [outputs, inputs, k, n] (Montgomery form) * x [inputs, 2, k, n]."""
    for o in range(out.shape[0]):
        for i in range(x.shape[0]):
            for p in range(x.shape[1]):
                for k in range(x.shape[2]):
                    if i == 0:
                        out[o, p, k][:] = uint64(0)
                    _accumulate(out[o, p, k], x[i, p, k], y[o, i, k], q[k], qi[k])
        for p in range(x.shape[1]):
            for k in range(x.shape[2]):
                settle(out[o, p, k : k + 1], q[k])


@njit(cache=True)
def switch(total, digits, order, key, rows, q, qi):
    """total [2, k, n] += sum over d of digits [d, k, n] (permuted by `order`) * key [., 2, ., n]; row i of total is
    modulo q[i] and reads row rows[i] of the key, which is in Montgomery form; total in [0, 2q). Empty order: as is."""
    turned = np.empty(digits.shape[2], np.uint64)
    for i in range(total.shape[1]):
        for d in range(digits.shape[0]):
            source = digits[d, i]
            if order.shape[0] > 0:
                for j in range(source.shape[0]):
                    turned[j] = source[order[j]]
                source = turned
            for p in range(2):
                _accumulate(total[p, i], source, key[d, p, rows[i]], q[i], qi[i])


@njit(cache=True)
def multiply(out, x, y, q, qi):
    """out [k, n] = x * y / 2^64 below q, row by row."""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            r = _montgomery(x[i, j], y[i, j], q[i], qi[i])
            out[i, j] = min(r, r - q[i])


@njit(cache=True)
def fold_digit(out, sums, w, wp, offset, ratio, q):
    """out [r, n] <- out * w + sums mod q; sums float64 integers below 2^53; offset a multiple of q above 2^53."""
    for r in range(out.shape[0]):
        a, s = out[r], sums[r]
        for j in range(a.shape[0]):
            x = a[j] * w - high(a[j], wp) * q
            y = np.uint64(np.int64(s[j])) + offset
            y = y - high(y, ratio) * q
            y = min(y, y - q)
            z = x + y
            z = min(z, z - q)
            a[j] = min(z, z - q)
