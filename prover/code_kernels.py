# SPDX-License-Identifier: AGPL-3.0-or-later
"""Compiled loops of the commitment: rows combined, rows encoded."""

from __future__ import annotations

import numba as nb
import numpy as np

from verifier.proof.compiled import add, mul, reduce, sub

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_ZERO = np.uint64(0)


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


_STRIP_WORDS = 1 << 14
"""Rows that are encoded side by side are as many as fit into the first-level caches, 8 to 64."""


@nb.njit(cache=True, nogil=True)
def encode_columns(matrix, powers, roots, out, first, last):
    """Rows first .. last-1 of matrix [R, C] encoded into out [cosets * C, R], position by position.

    powers [cosets, C] are the powers that shift each coset; roots as for `verifier.proof.vectors.transform`.
    """
    columns = matrix.shape[1]
    strip = max(8, min(64, _STRIP_WORDS // columns))
    turned = np.zeros((columns, strip), np.uint64)
    work = np.zeros((columns, strip), np.uint64)
    for start in range(first, last, strip):
        stop = min(start + strip, last)
        for at in range(0, columns, 8):
            for i in range(start, stop):
                for j in range(at, min(at + 8, columns)):
                    turned[j, i - start] = matrix[i, j]
        for s in range(powers.shape[0]):
            for j in range(columns):
                factor, source, target = powers[s, j], turned[j], work[j]
                for i in range(source.size):
                    target[i] = mul(source[i], factor)
            _transform(work, roots)
            for j in range(columns):
                out[s * columns + j, start:stop] = work[j, : stop - start]


@nb.njit(inline="always")
def _transform(work, roots):
    """The transform down the first axis, two levels in one pass while there are two."""
    columns = work.shape[0]
    half = columns >> 1
    while half > 1:
        quarter = half >> 1
        for block in range(0, columns, 2 * half):
            for j in range(block, block + quarter):
                w, x = roots[half - 1 + j - block], roots[half - 1 + quarter + j - block]
                v = roots[quarter - 1 + j - block]
                r0, r1, r2, r3 = work[j], work[j + quarter], work[j + half], work[j + half + quarter]
                for i in range(r0.size):
                    a, b, c, d = r0[i], r1[i], r2[i], r3[i]
                    e, f = add(a, c), add(b, d)
                    g, h = mul(sub(a, c), w), mul(sub(b, d), x)
                    r0[i] = add(e, f)
                    r1[i] = mul(sub(e, f), v)
                    r2[i] = add(g, h)
                    r3[i] = mul(sub(g, h), v)
        half >>= 2
    if half:
        for j in range(0, columns, 2):
            low, high = work[j], work[j + 1]
            for i in range(low.size):
                a, b = low[i], high[i]
                low[i] = add(a, b)
                high[i] = sub(a, b)
