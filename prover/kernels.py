# SPDX-License-Identifier: AGPL-3.0-or-later
"""Compiled loops of the prover.  Extension arrays are pairs of uint64 vectors; `tests/proof` has the slow meaning.

Sums are kept as two plain 64-bit counters, of low and of high halves, so that loops vectorise; `settle` brings them
together.  They are exact for fewer than 2^32 terms.
"""

from __future__ import annotations

import numba as nb
import numpy as np

from verifier.proof.compiled import add, mul, mul0, mul1, reduce, sub
from verifier.proof.field import Element, P

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_ZERO = np.uint64(0)


def settle(sums: np.ndarray, at: int) -> Element:
    """The element whose coordinates were summed up at sums[at : at + 4] as low, high, low, high halves."""
    low0, high0, low1, high1 = (int(v) for v in sums[at : at + 4])
    return ((high0 << 32) + low0) % P, ((high1 << 32) + low1) % P


@nb.njit(cache=True, nogil=True)
def fill_leaves(q, offset, first, second, valid, alpha, gamma, tag):
    """q[:, offset + i] = alpha - valid_i * (first_i + gamma*second_i + tag): residues in, tag = gamma^2 * number."""
    a0, a1, g0, g1, t0, t1 = alpha[0], alpha[1], gamma[0], gamma[1], tag[0], tag[1]
    b0 = sub(a0, t0)
    b1 = sub(a1, t1)
    both = second.size > 0
    for i in range(first.size):
        x0 = sub(b0, first[i])
        x1 = b1
        if both:
            x0 = sub(x0, mul(g0, second[i]))
            x1 = sub(x1, mul(g1, second[i]))
        q[0, offset + i] = x0 if valid[i] else a0
        q[1, offset + i] = x1 if valid[i] else a1


@nb.njit(cache=True, nogil=True)
def add_fractions(p, q, up_p, up_q, first, last):
    """One level up: fractions j and m + j added, for first <= j < last.  p, q [2, 2m] -> up_p, up_q [2, m]."""
    m = up_p.shape[1]
    p0, p1, q0, q1 = p[0, first:last], p[1, first:last], q[0, first:last], q[1, first:last]
    r0, r1 = p[0, m + first : m + last], p[1, m + first : m + last]
    s0, s1 = q[0, m + first : m + last], q[1, m + first : m + last]
    x0, x1, y0, y1 = up_p[0, first:last], up_p[1, first:last], up_q[0, first:last], up_q[1, first:last]
    for j in range(p0.size):
        a0, a1, b0, b1 = p0[j], p1[j], q0[j], q1[j]
        c0, c1, d0, d1 = r0[j], r1[j], s0[j], s1[j]
        x0[j] = add(mul0(a0, a1, d0, d1), mul0(c0, c1, b0, b1))
        x1[j] = add(mul1(a0, a1, d0, d1), mul1(c0, c1, b0, b1))
        y0[j] = mul0(b0, b1, d0, d1)
        y1[j] = mul1(b0, b1, d0, d1)


@nb.njit(cache=True, nogil=True)
def start_level(p, q, mix, out, first, last):
    """out [8, m] = p_low, q_high, q_low, p_high + mix*q_high for first <= j < last: a, b, c, d of a*b + c*d."""
    m = out.shape[1]
    x0, x1 = mix[0], mix[1]
    out[0, first:last] = p[0, first:last]
    out[1, first:last] = p[1, first:last]
    out[2, first:last] = q[0, m + first : m + last]
    out[3, first:last] = q[1, m + first : m + last]
    out[4, first:last] = q[0, first:last]
    out[5, first:last] = q[1, first:last]
    p0, p1 = p[0, m + first : m + last], p[1, m + first : m + last]
    q0, q1 = q[0, m + first : m + last], q[1, m + first : m + last]
    d0, d1 = out[6, first:last], out[7, first:last]
    for j in range(p0.size):
        d0[j] = add(p0[j], mul0(q0[j], q1[j], x0, x1))
        d1[j] = add(p1[j], mul1(q0[j], q1[j], x0, x1))


@nb.njit(cache=True, nogil=True)
def fraction_round(v, size, eq, first, last):
    """Sums over first <= j < last <= size/2 of eq_j * (a*b + c*d) at 0 and of its leading coefficient; v [8, size]."""
    h = size >> 1
    l0 = v[0, first:last]
    h0 = v[0, h + first : h + last]
    l1 = v[1, first:last]
    h1 = v[1, h + first : h + last]
    l2 = v[2, first:last]
    h2 = v[2, h + first : h + last]
    l3 = v[3, first:last]
    h3 = v[3, h + first : h + last]
    l4 = v[4, first:last]
    h4 = v[4, h + first : h + last]
    l5 = v[5, first:last]
    h5 = v[5, h + first : h + last]
    l6 = v[6, first:last]
    h6 = v[6, h + first : h + last]
    l7 = v[7, first:last]
    h7 = v[7, h + first : h + last]
    w0, w1 = eq[0, first:last], eq[1, first:last]
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = _ZERO
    for j in range(l0.size):
        a0, a1, b0, b1 = l0[j], l1[j], l2[j], l3[j]
        c0, c1, d0, d1 = l4[j], l5[j], l6[j], l7[j]
        e0, e1 = w0[j], w1[j]
        x0 = add(mul0(a0, a1, b0, b1), mul0(c0, c1, d0, d1))
        x1 = add(mul1(a0, a1, b0, b1), mul1(c0, c1, d0, d1))
        a0 = sub(h0[j], a0)
        a1 = sub(h1[j], a1)
        b0 = sub(h2[j], b0)
        b1 = sub(h3[j], b1)
        c0 = sub(h4[j], c0)
        c1 = sub(h5[j], c1)
        d0 = sub(h6[j], d0)
        d1 = sub(h7[j], d1)
        y0 = add(mul0(a0, a1, b0, b1), mul0(c0, c1, d0, d1))
        y1 = add(mul1(a0, a1, b0, b1), mul1(c0, c1, d0, d1))
        r0 = mul0(x0, x1, e0, e1)
        r1 = mul1(x0, x1, e0, e1)
        t0 = mul0(y0, y1, e0, e1)
        t1 = mul1(y0, y1, e0, e1)
        s0 += r0 & _LOW
        s1 += r0 >> _HALF
        s2 += r1 & _LOW
        s3 += r1 >> _HALF
        s4 += t0 & _LOW
        s5 += t0 >> _HALF
        s6 += t1 & _LOW
        s7 += t1 >> _HALF
    return np.array([s0, s1, s2, s3, s4, s5, s6, s7], np.uint64)


@nb.njit(cache=True, nogil=True)
def product_round(a, b, size, eq):
    """Sums over j < size/2 of eq_j * a*b at 0, at 1 and of its leading coefficient; a, b [2, size]."""
    h = size >> 1
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = s8 = s9 = s10 = s11 = _ZERO
    for j in range(h):
        e0, e1 = eq[0, j], eq[1, j]
        x0, x1, y0, y1 = a[0, j], a[1, j], b[0, j], b[1, j]
        u0, u1, v0, v1 = a[0, h + j], a[1, h + j], b[0, h + j], b[1, h + j]
        z0 = mul0(x0, x1, y0, y1)
        z1 = mul1(x0, x1, y0, y1)
        r0 = mul0(z0, z1, e0, e1)
        r1 = mul1(z0, z1, e0, e1)
        s0 += r0 & _LOW
        s1 += r0 >> _HALF
        s2 += r1 & _LOW
        s3 += r1 >> _HALF
        z0 = mul0(u0, u1, v0, v1)
        z1 = mul1(u0, u1, v0, v1)
        r0 = mul0(z0, z1, e0, e1)
        r1 = mul1(z0, z1, e0, e1)
        s4 += r0 & _LOW
        s5 += r0 >> _HALF
        s6 += r1 & _LOW
        s7 += r1 >> _HALF
        u0 = sub(u0, x0)
        u1 = sub(u1, x1)
        v0 = sub(v0, y0)
        v1 = sub(v1, y1)
        z0 = mul0(u0, u1, v0, v1)
        z1 = mul1(u0, u1, v0, v1)
        r0 = mul0(z0, z1, e0, e1)
        r1 = mul1(z0, z1, e0, e1)
        s8 += r0 & _LOW
        s9 += r0 >> _HALF
        s10 += r1 & _LOW
        s11 += r1 >> _HALF
    return np.array([s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11], np.uint64)


@nb.njit(cache=True, nogil=True)
def bind(v, size, r, first, last):
    """In place, pairs of rows of v [2k, size]: x_j + r*(x_{j + size/2} - x_j) for first <= j < last <= size/2."""
    h = size >> 1
    r0, r1 = r[0], r[1]
    for k in range(0, v.shape[0], 2):
        x0, x1 = v[k, first:last], v[k + 1, first:last]
        y0, y1 = v[k, h + first : h + last], v[k + 1, h + first : h + last]
        for j in range(x0.size):
            a0, a1 = x0[j], x1[j]
            d0 = sub(y0[j], a0)
            d1 = sub(y1[j], a1)
            x0[j] = add(a0, mul0(d0, d1, r0, r1))
            x1[j] = add(a1, mul1(d0, d1, r0, r1))


@nb.njit(cache=True, nogil=True)
def halve(eq, size):
    """In place: eq vector of one variable less, by summing over the highest one."""
    h = size >> 1
    for k in range(2):
        row = eq[k]
        for j in range(h):
            row[j] = add(row[j], row[h + j])


@nb.njit(cache=True, nogil=True)
def inner_round(v, size, first, last):
    """Sums over first <= j < last <= size/2 of z*w at 0 and of its leading coefficient; v [4, size] = z, w."""
    h = size >> 1
    l0 = v[0, first:last]
    h0 = v[0, h + first : h + last]
    l1 = v[1, first:last]
    h1 = v[1, h + first : h + last]
    l2 = v[2, first:last]
    h2 = v[2, h + first : h + last]
    l3 = v[3, first:last]
    h3 = v[3, h + first : h + last]
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = _ZERO
    for j in range(l0.size):
        a0, a1, b0, b1 = l0[j], l1[j], l2[j], l3[j]
        r0 = mul0(a0, a1, b0, b1)
        r1 = mul1(a0, a1, b0, b1)
        a0 = sub(h0[j], a0)
        a1 = sub(h1[j], a1)
        b0 = sub(h2[j], b0)
        b1 = sub(h3[j], b1)
        t0 = mul0(a0, a1, b0, b1)
        t1 = mul1(a0, a1, b0, b1)
        s0 += r0 & _LOW
        s1 += r0 >> _HALF
        s2 += r1 & _LOW
        s3 += r1 >> _HALF
        s4 += t0 & _LOW
        s5 += t0 >> _HALF
        s6 += t1 & _LOW
        s7 += t1 >> _HALF
    return np.array([s0, s1, s2, s3, s4, s5, s6, s7], np.uint64)


@nb.njit(cache=True, nogil=True)
def inner_low(v, first, last):
    """Sums over first <= j < last of z*w; v [4, n] = z, w."""
    z0, z1, w0, w1 = v[0, first:last], v[1, first:last], v[2, first:last], v[3, first:last]
    s0 = s1 = s2 = s3 = _ZERO
    for j in range(z0.size):
        r0 = mul0(z0[j], z1[j], w0[j], w1[j])
        r1 = mul1(z0[j], z1[j], w0[j], w1[j])
        s0 += r0 & _LOW
        s1 += r0 >> _HALF
        s2 += r1 & _LOW
        s3 += r1 >> _HALF
    return np.array([s0, s1, s2, s3], np.uint64)


@nb.njit(cache=True, nogil=True)
def scale_rows(v, factor, first, last):
    """In place, pairs of rows of v [2k, n]: entries first .. last-1 times the factor."""
    f0, f1 = factor[0], factor[1]
    for k in range(0, v.shape[0], 2):
        x0, x1 = v[k, first:last], v[k + 1, first:last]
        for j in range(x0.size):
            a0, a1 = x0[j], x1[j]
            x0[j] = mul0(a0, a1, f0, f1)
            x1[j] = mul1(a0, a1, f0, f1)


@nb.njit(cache=True, nogil=True)
def accumulate(out, values):
    """out += values, both [2, n]."""
    for k in range(2):
        row, more = out[k], values[k]
        for j in range(row.size):
            row[j] = add(row[j], more[j])


@nb.njit(cache=True, nogil=True)
def combine_rows(matrix, coefficients, out, first, last):
    """out[:, first:last] of out [2, C] = sum_i coefficients[:, i] * matrix[i], matrix words [R, C]."""
    out0 = out[0, first:last]
    out1 = out[1, first:last]
    for i in range(matrix.shape[0]):
        c0, c1 = coefficients[0, i], coefficients[1, i]
        row = matrix[i, first:last]
        for j in range(row.size):
            out0[j] = add(out0[j], mul(row[j], c0))
            out1[j] = add(out1[j], mul(row[j], c1))


@nb.njit(cache=True, nogil=True)
def combine_columns(columns, coefficients, out, first, last):
    """out[:, j] of out [2, n] = sum_i coefficients[:, i] * columns[j, i] for first <= j < last; columns [n, R]."""
    c0, c1 = coefficients[0], coefficients[1]
    for j in range(first, last):
        column = columns[j]
        s0 = s1 = s2 = s3 = _ZERO
        for i in range(column.size):
            r0 = mul(column[i], c0[i])
            r1 = mul(column[i], c1[i])
            s0 += r0 & _LOW
            s1 += r0 >> _HALF
            s2 += r1 & _LOW
            s3 += r1 >> _HALF
        out[0, j] = reduce(s1 >> _HALF, s1 << _HALF)
        out[0, j] = add(out[0, j], reduce(_ZERO, s0))
        out[1, j] = reduce(s3 >> _HALF, s3 << _HALF)
        out[1, j] = add(out[1, j], reduce(_ZERO, s2))


_STRIP_WORDS = 1 << 17
"""A strip of rows being encoded, side by side, stays in the second-level cache: 1 MiB."""


@nb.njit(cache=True, nogil=True)
def encode_columns(matrix, powers, roots, out, first, last):
    """Rows first .. last-1 of matrix [R, C] encoded into out [cosets * C, R], position by position.

    powers [cosets, C] are the powers that shift each coset; roots as for `transform`.
    """
    columns = matrix.shape[1]
    strip = max(8, min(64, _STRIP_WORDS // columns))
    work = np.zeros((columns, strip), np.uint64)
    for start in range(first, last, strip):
        stop = min(start + strip, last)
        for s in range(powers.shape[0]):
            for i in range(start, stop):
                row = matrix[i]
                for j in range(columns):
                    work[j, i - start] = mul(row[j], powers[s, j])
            half = columns >> 1
            while half:
                for block in range(0, columns, 2 * half):
                    for j in range(half):
                        w = roots[half - 1 + j]
                        low = work[block + j]
                        high = work[block + half + j]
                        for i in range(low.size):
                            u = low[i]
                            v = high[i]
                            low[i] = add(u, v)
                            high[i] = mul(sub(u, v), w)
                half >>= 1
            for j in range(columns):
                out[s * columns + j, start:stop] = work[j, : stop - start]
