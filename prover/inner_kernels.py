# SPDX-License-Identifier: AGPL-3.0-or-later
"""Compiled loops of inner products: weights written out, and the sumcheck of `inner_product`.  As in `kernels`."""

from __future__ import annotations

import numba as nb
import numpy as np

from prover.kernels import NONE
from verifier.proof.compiled import add, digits, digits0, digits1, mul, mul0, mul1, pair, plus, sub

_SEVEN = np.uint64(7)


@nb.njit(cache=True, nogil=True)
def first_round(z, w, size, first, last):
    """`inner_round` for residues z [n] and w [2, n]."""
    h = size >> 1
    a, c = z[first:last], z[h + first : h + last]
    b0, b1, d0, d1 = w[0, first:last], w[1, first:last], w[0, h + first : h + last], w[1, h + first : h + last]
    s0 = s1 = t0 = t1 = NONE
    for j in range(a.size):
        low, change = a[j], sub(c[j], a[j])
        s0 = plus(s0, digits(low, b0[j]))
        s1 = plus(s1, digits(low, b1[j]))
        t0 = plus(t0, digits(change, sub(d0[j], b0[j])))
        t1 = plus(t1, digits(change, sub(d1[j], b1[j])))
    return np.array([s0, s1, t0, t1], np.uint64).reshape(2, 2, 4)


@nb.njit(cache=True, nogil=True)
def first_bind(z, w, size, r, out, first, last):
    """`bind` for residues z [n] and w [2, n], zero from their ends on; out [2, 2, .] = z, w."""
    h, n = size >> 1, z.size
    r0, r1, r7 = r[0], r[1], mul(_SEVEN, r[1])
    x0, x1, y0, y1 = out[0, 0, first:last], out[1, 0, first:last], out[0, 1, first:last], out[1, 1, first:last]
    both = max(0, min(last, n - h) - first)
    a, b0, b1 = z[first:last], w[0, first:last], w[1, first:last]
    c, d0, d1 = z[h + first : h + last], w[0, h + first : h + last], w[1, h + first : h + last]
    for j in range(both):
        change = sub(c[j], a[j])
        x0[j] = add(a[j], mul(change, r0))
        x1[j] = mul(change, r1)
        e0, e1 = sub(d0[j], b0[j]), sub(d1[j], b1[j])
        y0[j] = add(b0[j], pair(e0, r0, e1, r7))
        y1[j] = add(b1[j], pair(e0, r1, e1, r0))
    q0, q1 = sub(np.uint64(1), r0), sub(np.uint64(0), r1)
    q7 = mul(_SEVEN, q1)
    for j in range(both, x0.size):
        x0[j] = mul(a[j], q0)
        x1[j] = mul(a[j], q1)
        y0[j] = pair(b0[j], q0, b1[j], q7)
        y1[j] = pair(b0[j], q1, b1[j], q0)


@nb.njit(cache=True, nogil=True)
def first_low(z, w, first, last):
    """`inner_low` for residues z [n] and w [2, n]."""
    a, b0, b1 = z[first:last], w[0, first:last], w[1, first:last]
    s0 = s1 = NONE
    for j in range(a.size):
        s0 = plus(s0, digits(a[j], b0[j]))
        s1 = plus(s1, digits(a[j], b1[j]))
    return np.array([s0, s1, s0, s1], np.uint64).reshape(2, 2, 4)


@nb.njit(cache=True, nogil=True)
def inner_round(v, size, first, last):
    """Sums over first <= j < last of z*w at 0 and of its leading coefficient; v [2, 2, n] = z, w."""
    h = size >> 1
    a0, a1, b0, b1 = v[0, 0, first:last], v[1, 0, first:last], v[0, 1, first:last], v[1, 1, first:last]
    first, last = first + h, last + h
    c0, c1, d0, d1 = v[0, 0, first:last], v[1, 0, first:last], v[0, 1, first:last], v[1, 1, first:last]
    s0 = s1 = t0 = t1 = NONE
    for j in range(a0.size):
        s0 = plus(s0, digits0(a0[j], a1[j], b0[j], b1[j]))
        s1 = plus(s1, digits1(a0[j], a1[j], b0[j], b1[j]))
        x0, x1, y0, y1 = sub(c0[j], a0[j]), sub(c1[j], a1[j]), sub(d0[j], b0[j]), sub(d1[j], b1[j])
        t0 = plus(t0, digits0(x0, x1, y0, y1))
        t1 = plus(t1, digits1(x0, x1, y0, y1))
    return np.array([s0, s1, t0, t1], np.uint64).reshape(2, 2, 4)


@nb.njit(cache=True, nogil=True)
def inner_low(v, first, last):
    """The same where the high partners are zero: the product at 0 is the leading coefficient as well."""
    z0, z1, w0, w1 = v[0, 0, first:last], v[1, 0, first:last], v[0, 1, first:last], v[1, 1, first:last]
    s0 = s1 = NONE
    for j in range(z0.size):
        s0 = plus(s0, digits0(z0[j], z1[j], w0[j], w1[j]))
        s1 = plus(s1, digits1(z0[j], z1[j], w0[j], w1[j]))
    return np.array([s0, s1, s0, s1], np.uint64).reshape(2, 2, 4)


@nb.njit(cache=True, nogil=True)
def scale(v, factor, first, last):
    """In place, every vector of v [2, k, n]: entries first .. last-1 times the factor."""
    f0, f1 = factor[0], factor[1]
    for k in range(v.shape[1]):
        x0, x1 = v[0, k, first:last], v[1, k, first:last]
        for j in range(x0.size):
            a0, a1 = x0[j], x1[j]
            x0[j] = mul0(a0, a1, f0, f1)
            x1[j] = mul1(a0, a1, f0, f1)


@nb.njit(cache=True, nogil=True)
def outer(out, a, b, first, last):
    """out[:, i*n + j] = a_i * b_j for first <= i < last: a [2, m], b [2, n]."""
    b0, b1 = b[0], b[1]
    n = b0.size
    for i in range(first, last):
        a0, a1, a7 = a[0, i], a[1, i], mul(_SEVEN, a[1, i])
        x0, x1 = out[0, i * n : i * n + n], out[1, i * n : i * n + n]
        for j in range(n):
            x0[j] = pair(b0[j], a0, b1[j], a7)
            x1[j] = pair(b0[j], a1, b1[j], a0)


@nb.njit(cache=True, nogil=True)
def add_outer(out, offset, a, b, first, last):
    """out[:, offset + i*n + j] += a_i * b_j for first <= i < last: a [2, m], b [2, n]."""
    b0, b1 = b[0], b[1]
    n = b0.size
    for i in range(first, last):
        a0, a1, a7 = a[0, i], a[1, i], mul(_SEVEN, a[1, i])
        x0, x1 = out[0, offset + i * n : offset + i * n + n], out[1, offset + i * n : offset + i * n + n]
        for j in range(n):
            x0[j] = add(x0[j], pair(b0[j], a0, b1[j], a7))
            x1[j] = add(x1[j], pair(b0[j], a1, b1[j], a0))
