# SPDX-License-Identifier: AGPL-3.0-or-later
"""Compiled loops of the prover.  Extension arrays are pairs of uint64 vectors; `tests/proof` has the slow meaning.

Sums are kept as two plain 64-bit counters, of low and of high halves, so that loops vectorise; `settle` brings them
together.  They are exact for fewer than 2^32 terms.
"""

from __future__ import annotations

import numba as nb
import numpy as np

from verifier.proof.compiled import add, mul, mul0, mul1, sub
from verifier.proof.field import P, Element

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
def add_fractions(p, q, up_p, up_q):
    """One level up: fractions j and j + half added.  p, q [2, 2m] -> up_p, up_q [2, m]."""
    m = up_p.shape[1]
    for j in range(m):
        a0, a1, b0, b1 = p[0, j], p[1, j], q[0, j], q[1, j]
        c0, c1, d0, d1 = p[0, m + j], p[1, m + j], q[0, m + j], q[1, m + j]
        up_p[0, j] = add(mul0(a0, a1, d0, d1), mul0(c0, c1, b0, b1))
        up_p[1, j] = add(mul1(a0, a1, d0, d1), mul1(c0, c1, b0, b1))
        up_q[0, j] = mul0(b0, b1, d0, d1)
        up_q[1, j] = mul1(b0, b1, d0, d1)


@nb.njit(cache=True, nogil=True)
def start_level(p, q, mix, out):
    """out [8, m] = p_low, q_high, q_low, p_high + mix*q_high: the operands a, b, c, d of a*b + c*d."""
    m = out.shape[1]
    x0, x1 = mix[0], mix[1]
    for j in range(m):
        out[0, j] = p[0, j]
        out[1, j] = p[1, j]
        q0 = q[0, m + j]
        q1 = q[1, m + j]
        out[2, j] = q0
        out[3, j] = q1
        out[4, j] = q[0, j]
        out[5, j] = q[1, j]
        out[6, j] = add(p[0, m + j], mul0(q0, q1, x0, x1))
        out[7, j] = add(p[1, m + j], mul1(q0, q1, x0, x1))


@nb.njit(cache=True, nogil=True)
def fraction_round(v, size, eq):
    """Sums over j < size/2 of eq_j * (a*b + c*d) at 0 and of its leading coefficient; v [8, size]."""
    h = size >> 1
    s = np.zeros(8, np.uint64)
    for j in range(h):
        a0, a1, b0, b1 = v[0, j], v[1, j], v[2, j], v[3, j]
        c0, c1, d0, d1 = v[4, j], v[5, j], v[6, j], v[7, j]
        e0, e1 = eq[0, j], eq[1, j]
        x0 = add(mul0(a0, a1, b0, b1), mul0(c0, c1, d0, d1))
        x1 = add(mul1(a0, a1, b0, b1), mul1(c0, c1, d0, d1))
        a0 = sub(v[0, h + j], a0)
        a1 = sub(v[1, h + j], a1)
        b0 = sub(v[2, h + j], b0)
        b1 = sub(v[3, h + j], b1)
        c0 = sub(v[4, h + j], c0)
        c1 = sub(v[5, h + j], c1)
        d0 = sub(v[6, h + j], d0)
        d1 = sub(v[7, h + j], d1)
        y0 = add(mul0(a0, a1, b0, b1), mul0(c0, c1, d0, d1))
        y1 = add(mul1(a0, a1, b0, b1), mul1(c0, c1, d0, d1))
        r0 = mul0(x0, x1, e0, e1)
        r1 = mul1(x0, x1, e0, e1)
        t0 = mul0(y0, y1, e0, e1)
        t1 = mul1(y0, y1, e0, e1)
        s[0] += r0 & _LOW
        s[1] += r0 >> _HALF
        s[2] += r1 & _LOW
        s[3] += r1 >> _HALF
        s[4] += t0 & _LOW
        s[5] += t0 >> _HALF
        s[6] += t1 & _LOW
        s[7] += t1 >> _HALF
    return s


@nb.njit(cache=True, nogil=True)
def product_round(a, b, size, eq):
    """Sums over j < size/2 of eq_j * a*b at 0, at 1 and of its leading coefficient; a, b [2, size]."""
    h = size >> 1
    s = np.zeros(12, np.uint64)
    for j in range(h):
        e0, e1 = eq[0, j], eq[1, j]
        for k in range(3):
            if k == 0:
                x0, x1, y0, y1 = a[0, j], a[1, j], b[0, j], b[1, j]
            elif k == 1:
                x0, x1, y0, y1 = a[0, h + j], a[1, h + j], b[0, h + j], b[1, h + j]
            else:
                x0 = sub(a[0, h + j], a[0, j])
                x1 = sub(a[1, h + j], a[1, j])
                y0 = sub(b[0, h + j], b[0, j])
                y1 = sub(b[1, h + j], b[1, j])
            z0 = mul0(x0, x1, y0, y1)
            z1 = mul1(x0, x1, y0, y1)
            r0 = mul0(z0, z1, e0, e1)
            r1 = mul1(z0, z1, e0, e1)
            s[4 * k] += r0 & _LOW
            s[4 * k + 1] += r0 >> _HALF
            s[4 * k + 2] += r1 & _LOW
            s[4 * k + 3] += r1 >> _HALF
    return s


@nb.njit(cache=True, nogil=True)
def bind(v, size, r):
    """In place, pairs of rows of v [2k, size]: x_j + r*(x_{j + size/2} - x_j) for j < size/2."""
    h = size >> 1
    r0, r1 = r[0], r[1]
    for k in range(0, v.shape[0], 2):
        low, high = v[k], v[k + 1]
        for j in range(h):
            x0, x1 = low[j], high[j]
            d0 = sub(low[h + j], x0)
            d1 = sub(high[h + j], x1)
            low[j] = add(x0, mul0(d0, d1, r0, r1))
            high[j] = add(x1, mul1(d0, d1, r0, r1))


@nb.njit(cache=True, nogil=True)
def halve(eq, size):
    """In place: eq vector of one variable less, by summing over the highest one."""
    h = size >> 1
    for k in range(2):
        row = eq[k]
        for j in range(h):
            row[j] = add(row[j], row[h + j])


@nb.njit(cache=True, nogil=True)
def inner_round(z, w, size):
    """Sums over j < size/2 of z*w at 0 and of its leading coefficient; z, w [2, size]."""
    h = size >> 1
    s = np.zeros(8, np.uint64)
    for j in range(h):
        a0, a1, b0, b1 = z[0, j], z[1, j], w[0, j], w[1, j]
        r0 = mul0(a0, a1, b0, b1)
        r1 = mul1(a0, a1, b0, b1)
        a0 = sub(z[0, h + j], a0)
        a1 = sub(z[1, h + j], a1)
        b0 = sub(w[0, h + j], b0)
        b1 = sub(w[1, h + j], b1)
        t0 = mul0(a0, a1, b0, b1)
        t1 = mul1(a0, a1, b0, b1)
        s[0] += r0 & _LOW
        s[1] += r0 >> _HALF
        s[2] += r1 & _LOW
        s[3] += r1 >> _HALF
        s[4] += t0 & _LOW
        s[5] += t0 >> _HALF
        s[6] += t1 & _LOW
        s[7] += t1 >> _HALF
    return s


@nb.njit(cache=True, nogil=True)
def accumulate(out, values):
    """out += values, both [2, n]."""
    for k in range(2):
        row, more = out[k], values[k]
        for j in range(row.size):
            row[j] = add(row[j], more[j])


@nb.njit(cache=True, nogil=True)
def combine_rows(matrix, coefficients, out):
    """out [2, C] = sum_i coefficients[:, i] * matrix[i], matrix words [R, C]."""
    for i in range(matrix.shape[0]):
        c0, c1 = coefficients[0, i], coefficients[1, i]
        row = matrix[i]
        for j in range(row.size):
            out[0, j] = add(out[0, j], mul(row[j], c0))
            out[1, j] = add(out[1, j], mul(row[j], c1))
