# SPDX-License-Identifier: AGPL-3.0-or-later
"""Compiled loops of the prover.  `tests/proof` has the slow meaning.

Several extension vectors of one length are one array [2, k, n]: coordinate, vector, entry.  A sumcheck binds the
highest variable, entry j with entry j + size/2, in place.  Sums of products are kept as the sums of their uncarried
digits (`verifier.proof.compiled.digits`), exact for fewer than 2^27 terms; `settle` brings them together.
"""

from __future__ import annotations

from collections.abc import Iterable

import numba as nb
import numpy as np

from verifier.proof.compiled import add, digits0, digits1, dot0, dot1, mul, mul0, mul1, pair, plus, sub
from verifier.proof.field import Element, P

_SEVEN = np.uint64(7)
NONE = (np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0))


def settle(parts: Iterable[np.ndarray]) -> list[Element]:
    """The elements whose coordinates were summed up as digits, [number of elements, 2, 4] in each part."""
    totals: dict[int, tuple[int, int]] = {}
    for part in parts:
        for i, (first, second) in enumerate(part.tolist()):
            a, b = totals.get(i, (0, 0))
            totals[i] = (a + _value(first), b + _value(second))
    return [(a % P, b % P) for a, b in totals.values()]


def _value(d: list[int]) -> int:
    return d[0] + (d[1] << 32) + (d[2] << 64) + (d[3] << 96)


@nb.njit(inline="always")
def residue(value):
    """An int64 of any sign modulo p."""
    word = np.uint64(value)
    return word + np.uint64(P) if value < 0 else word


@nb.njit(cache=True, nogil=True)
def fill_leaves(q, offset, one, two, valid, alpha, gamma, tag, idle, first, last):
    """q[:, offset + i] = alpha - one_i - gamma*two_i - tag where valid, else idle, for first <= i < last.

    Integers in, `two` may be empty; tag = gamma^2 * number of the table.
    """
    g0, g1, n0, n1 = gamma[0], gamma[1], idle[0], idle[1]
    b0, b1 = sub(alpha[0], tag[0]), sub(alpha[1], tag[1])
    q0, q1 = q[0, offset + first : offset + last], q[1, offset + first : offset + last]
    f, v = one[first:last], valid[first:last]
    if two.size == 0:
        for i in range(f.size):
            q0[i] = sub(b0, residue(f[i])) if v[i] else n0
            q1[i] = b1 if v[i] else n1
        return
    s = two[first:last]
    for i in range(f.size):
        second = residue(s[i])
        q0[i] = sub(sub(b0, residue(f[i])), mul(g0, second)) if v[i] else n0
        q1[i] = sub(b1, mul(g1, second)) if v[i] else n1


@nb.njit(cache=True, nogil=True)
def add_leaves(p, q, up_p, up_q, first, last):
    """`add_fractions` for numerators that are residues: p [2, m], q [2, 2, m]."""
    p0, p1 = p[0, first:last], p[1, first:last]
    a0, a1, b0, b1 = q[0, 0, first:last], q[1, 0, first:last], q[0, 1, first:last], q[1, 1, first:last]
    x0, x1, y0, y1 = up_p[0, first:last], up_p[1, first:last], up_q[0, first:last], up_q[1, first:last]
    for j in range(p0.size):
        x0[j] = pair(p0[j], b0[j], p1[j], a0[j])
        x1[j] = pair(p0[j], b1[j], p1[j], a1[j])
        y0[j] = mul0(a0[j], a1[j], b0[j], b1[j])
        y1[j] = mul1(a0[j], a1[j], b0[j], b1[j])


@nb.njit(cache=True, nogil=True)
def add_fractions(p, q, up_p, up_q, first, last):
    """One level up, fractions j and m + j added for first <= j < last: p, q [2, 2, m] -> up_p, up_q [2, m]."""
    p0, p1, r0, r1 = p[0, 0, first:last], p[1, 0, first:last], p[0, 1, first:last], p[1, 1, first:last]
    q0, q1, s0, s1 = q[0, 0, first:last], q[1, 0, first:last], q[0, 1, first:last], q[1, 1, first:last]
    x0, x1, y0, y1 = up_p[0, first:last], up_p[1, first:last], up_q[0, first:last], up_q[1, first:last]
    for j in range(p0.size):
        a0, a1, b0, b1 = p0[j], p1[j], q0[j], q1[j]
        c0, c1, d0, d1 = r0[j], r1[j], s0[j], s1[j]
        x0[j] = dot0(a0, a1, d0, d1, c0, c1, b0, b1)
        x1[j] = dot1(a0, a1, d0, d1, c0, c1, b0, b1)
        y0[j] = mul0(b0, b1, d0, d1)
        y1[j] = mul1(b0, b1, d0, d1)


@nb.njit(cache=True, nogil=True)
def start_leaves(p, q, mix, out, first, last):
    """out = p_high + mix * q_high for residues p [2, m], q [2, 2, m], out [2, 1, m]."""
    p1, q0, q1 = p[1, first:last], q[0, 1, first:last], q[1, 1, first:last]
    x0, x1, d0, d1 = mix[0], mix[1], out[0, 0, first:last], out[1, 0, first:last]
    for j in range(p1.size):
        d0[j] = add(p1[j], mul0(q0[j], q1[j], x0, x1))
        d1[j] = mul1(q0[j], q1[j], x0, x1)


@nb.njit(cache=True, nogil=True)
def start_level(p, q, mix, first, last):
    """In place, p_high += mix * q_high: p, q [2, 2, m]."""
    p0, p1, q0, q1 = p[0, 1, first:last], p[1, 1, first:last], q[0, 1, first:last], q[1, 1, first:last]
    x0, x1 = mix[0], mix[1]
    for j in range(p0.size):
        a0, a1 = q0[j], q1[j]
        p0[j] = add(p0[j], mul0(a0, a1, x0, x1))
        p1[j] = add(p1[j], mul1(a0, a1, x0, x1))


@nb.njit(cache=True, nogil=True)
def leaf_round(d, q, size, eq, first, last):
    """`fraction_round` where p_low is 1: sums of eq_j * (q_high + q_low * d), d [2, 1, m], q [2, 2, m]."""
    h = size >> 1
    a0, a1, b0, b1 = q[0, 0, first:last], q[1, 0, first:last], q[0, 1, first:last], q[1, 1, first:last]
    u0, u1 = q[0, 0, h + first : h + last], q[1, 0, h + first : h + last]
    d0, d1, v0, v1 = (
        d[0, 0, first:last],
        d[1, 0, first:last],
        d[0, 0, h + first : h + last],
        d[1, 0, h + first : h + last],
    )
    w0, w1 = eq[0, first:last], eq[1, first:last]
    s0 = s1 = t0 = t1 = NONE
    for j in range(a0.size):
        e0, e1 = w0[j], w1[j]
        x0 = add(b0[j], mul0(a0[j], a1[j], d0[j], d1[j]))
        x1 = add(b1[j], mul1(a0[j], a1[j], d0[j], d1[j]))
        s0 = plus(s0, digits0(x0, x1, e0, e1))
        s1 = plus(s1, digits1(x0, x1, e0, e1))
        g0, g1, f0, f1 = sub(u0[j], a0[j]), sub(u1[j], a1[j]), sub(v0[j], d0[j]), sub(v1[j], d1[j])
        x0 = mul0(g0, g1, f0, f1)
        x1 = mul1(g0, g1, f0, f1)
        t0 = plus(t0, digits0(x0, x1, e0, e1))
        t1 = plus(t1, digits1(x0, x1, e0, e1))
    return np.array([s0, s1, t0, t1], np.uint64).reshape(2, 2, 4)


@nb.njit(cache=True, nogil=True)
def leaf_low(d, q, eq, first, last):
    """`leaf_round` where the entries of d and q_high do not change with the variable: nothing of degree 2 is left."""
    a0, a1, b0, b1 = q[0, 0, first:last], q[1, 0, first:last], q[0, 1, first:last], q[1, 1, first:last]
    d0, d1, w0, w1 = d[0, 0, first:last], d[1, 0, first:last], eq[0, first:last], eq[1, first:last]
    s0 = s1 = NONE
    for j in range(a0.size):
        x0 = add(b0[j], mul0(a0[j], a1[j], d0[j], d1[j]))
        x1 = add(b1[j], mul1(a0[j], a1[j], d0[j], d1[j]))
        s0 = plus(s0, digits0(x0, x1, w0[j], w1[j]))
        s1 = plus(s1, digits1(x0, x1, w0[j], w1[j]))
    return np.array([s0, s1, NONE, NONE], np.uint64).reshape(2, 2, 4)


@nb.njit(cache=True, nogil=True)
def fraction_round(p, q, size, eq, first, last):
    """Sums over first <= j < last <= size/2 of eq_j * (p_low*q_high + q_low*p_high), p and q [2, 2, m], at 0 and of its
    leading coefficient."""
    h = size >> 1
    p0, p1, r0, r1 = p[0, 0, first:last], p[1, 0, first:last], p[0, 1, first:last], p[1, 1, first:last]
    q0, q1, o0, o1 = q[0, 0, first:last], q[1, 0, first:last], q[0, 1, first:last], q[1, 1, first:last]
    first, last = first + h, last + h
    g0, g1, i0, i1 = p[0, 0, first:last], p[1, 0, first:last], p[0, 1, first:last], p[1, 1, first:last]
    h0, h1, k0, k1 = q[0, 0, first:last], q[1, 0, first:last], q[0, 1, first:last], q[1, 1, first:last]
    w0, w1 = eq[0, first - h : last - h], eq[1, first - h : last - h]
    s0 = s1 = t0 = t1 = NONE
    for j in range(p0.size):
        a0, a1, b0, b1 = p0[j], p1[j], o0[j], o1[j]
        c0, c1, d0, d1 = q0[j], q1[j], r0[j], r1[j]
        e0, e1 = w0[j], w1[j]
        x0 = dot0(a0, a1, b0, b1, c0, c1, d0, d1)
        x1 = dot1(a0, a1, b0, b1, c0, c1, d0, d1)
        s0 = plus(s0, digits0(x0, x1, e0, e1))
        s1 = plus(s1, digits1(x0, x1, e0, e1))
        a0, a1, b0, b1 = sub(g0[j], a0), sub(g1[j], a1), sub(k0[j], b0), sub(k1[j], b1)
        c0, c1, d0, d1 = sub(h0[j], c0), sub(h1[j], c1), sub(i0[j], d0), sub(i1[j], d1)
        x0 = dot0(a0, a1, b0, b1, c0, c1, d0, d1)
        x1 = dot1(a0, a1, b0, b1, c0, c1, d0, d1)
        t0 = plus(t0, digits0(x0, x1, e0, e1))
        t1 = plus(t1, digits1(x0, x1, e0, e1))
    return np.array([s0, s1, t0, t1], np.uint64).reshape(2, 2, 4)


@nb.njit(cache=True, nogil=True)
def product_round(v, size, eq):
    """Sums over j < size/2 of eq_j * v[:, 0] * v[:, 1] at 0, at 1 and of its leading coefficient; v [2, 2, n]."""
    h = size >> 1
    s0 = s1 = t0 = t1 = u0 = u1 = NONE
    for j in range(h):
        e0, e1 = eq[0, j], eq[1, j]
        a0, a1, b0, b1 = v[0, 0, j], v[1, 0, j], v[0, 1, j], v[1, 1, j]
        c0, c1, d0, d1 = v[0, 0, h + j], v[1, 0, h + j], v[0, 1, h + j], v[1, 1, h + j]
        x0, x1 = mul0(a0, a1, b0, b1), mul1(a0, a1, b0, b1)
        s0 = plus(s0, digits0(x0, x1, e0, e1))
        s1 = plus(s1, digits1(x0, x1, e0, e1))
        x0, x1 = mul0(c0, c1, d0, d1), mul1(c0, c1, d0, d1)
        t0 = plus(t0, digits0(x0, x1, e0, e1))
        t1 = plus(t1, digits1(x0, x1, e0, e1))
        a0, a1, b0, b1 = sub(c0, a0), sub(c1, a1), sub(d0, b0), sub(d1, b1)
        x0, x1 = mul0(a0, a1, b0, b1), mul1(a0, a1, b0, b1)
        u0 = plus(u0, digits0(x0, x1, e0, e1))
        u1 = plus(u1, digits1(x0, x1, e0, e1))
    return np.array([s0, s1, t0, t1, u0, u1], np.uint64).reshape(3, 2, 4)


@nb.njit(cache=True, nogil=True)
def bind(v, count, size, r, first, last):
    """In place, the first vectors of v [2, k, n]: x_j + r*(x_{j + size/2} - x_j) for first <= j < last <= size/2."""
    h = size >> 1
    r0, r1, r7 = r[0], r[1], mul(_SEVEN, r[1])
    for k in range(count):
        x0, x1 = v[0, k, first:last], v[1, k, first:last]
        y0, y1 = v[0, k, h + first : h + last], v[1, k, h + first : h + last]
        for j in range(x0.size):
            a0, a1 = x0[j], x1[j]
            d0, d1 = sub(y0[j], a0), sub(y1[j], a1)
            x0[j] = add(a0, pair(d0, r0, d1, r7))
            x1[j] = add(a1, pair(d0, r1, d1, r0))


_CHUNK = 512
"""Entries that are bound and summed up while they are in the second-level cache."""


@nb.njit(cache=True, nogil=True)
def fraction_step(v, q, size, filled, r, eq, first, last):
    """Binds as `bind`, sums eq [2, .] over its highest variable, and returns the next round's sums.

    For first <= j < last <= size/4, with v and q as in `fraction_round`, or in `leaf_round` where v has one vector.
    Leaves from `filled` on have equal d and equal q_high, which binding leaves as they are.
    """
    quarter, half = size >> 2, size >> 1
    leaves = v.shape[1] == 1
    sums = np.zeros((2, 2, 4), np.uint64)
    for start in range(first, last, _CHUNK):
        stop = min(start + _CHUNK, last)
        for at in (start, start + quarter):
            end = at + stop - start
            if at < filled:
                bind(v, v.shape[1], size, r, at, end)
                bind(q, 2, size, r, at, end)
            else:
                bind(q, 1, size, r, at, end)
        for k in range(2):
            low, high = eq[k, start:stop], eq[k, quarter + start : quarter + stop]
            for j in range(low.size):
                low[j] = add(low[j], high[j])
        if not leaves:
            sums += fraction_round(v, q, half, eq, start, stop)
        elif start < filled:
            sums += leaf_round(v, q, half, eq, start, stop)
        else:
            sums += leaf_low(v, q, eq, start, stop)
    return sums
