# SPDX-License-Identifier: AGPL-3.0-or-later
"""The negacyclic number-theoretic transform modulo primes below 2^61, compiled.

Longa and Naehrig (2016): Cooley-Tukey forward into bit-reversed order, Gentleman-Sande back, Harvey's lazy butterflies
(2014), Shoup's products by constants; roots are powers of the least primitive 2n-th root, which makes the order that
of SEAL. The last six stages work on a transposed copy, so that every inner loop runs over contiguous memory and
vectorises.
"""

# mypy: disallow-untyped-defs=False, disallow-untyped-decorators=False, disallow-untyped-calls=False

from __future__ import annotations

import numpy as np
from numba import njit

from fhe.kernels import high

TILE = 64
"""Coefficients per block of the transposed stages."""


@njit(cache=True)
def _forward_pair(u, v, w, wp, q):
    """u, v in [0, 4q) -> u + w*v, u - w*v in [0, 4q)."""
    twice = q + q
    for j in range(u.shape[0]):
        x = u[j]
        x = min(x, x - twice)
        y = v[j]
        p = y * w - high(y, wp) * q
        u[j] = x + p
        v[j] = x - p + twice


@njit(cache=True)
def _forward_pair_each(u, v, w, wp, q):
    """The same with a root for each position."""
    twice = q + q
    for j in range(u.shape[0]):
        x = u[j]
        x = min(x, x - twice)
        y = v[j]
        p = y * w[j] - high(y, wp[j]) * q
        u[j] = x + p
        v[j] = x - p + twice


@njit(cache=True)
def _inverse_pair(u, v, w, wp, q):
    """u, v in [0, 2q) -> u + v, w*(u - v) in [0, 2q)."""
    twice = q + q
    for j in range(u.shape[0]):
        x, y = u[j], v[j]
        s = x + y
        u[j] = min(s, s - twice)
        d = x - y + twice
        v[j] = d * w - high(d, wp) * q


@njit(cache=True)
def _inverse_pair_each(u, v, w, wp, q):
    """The same with a root for each position."""
    twice = q + q
    for j in range(u.shape[0]):
        x, y = u[j], v[j]
        s = x + y
        u[j] = min(s, s - twice)
        d = x - y + twice
        v[j] = d * w[j] - high(d, wp[j]) * q


@njit(cache=True)
def _transpose(source, target):
    """target[j, i] = source[i, j], in tiles that stay in the cache."""
    rows, columns = source.shape
    for i0 in range(0, rows, 8):
        for j0 in range(0, columns, 8):
            for j in range(j0, j0 + 8):
                for i in range(i0, i0 + 8):
                    target[j, i] = source[i, j]


@njit(cache=True)
def forward(rows, w, wp, tail, tailp, q):
    """In place: uint64 [r, n], residues below q -> their transforms, bit-reversed, below q.

    w, wp [n]: roots and their Shoup quotients; tail, tailp [63, n/64]: those of the transposed stages.
    """
    n = rows.shape[1]
    blocks = n // TILE
    turned = np.empty((TILE, blocks), np.uint64)
    twice = q + q
    for r in range(rows.shape[0]):
        a = rows[r]
        t, m = n // 2, 1
        while t >= TILE:
            for i in range(m):
                _forward_pair(
                    a[2 * i * t : 2 * i * t + t], a[2 * i * t + t : 2 * i * t + 2 * t], w[m + i], wp[m + i], q
                )
            m *= 2
            t //= 2
        tiles = a.reshape(blocks, TILE)
        _transpose(tiles, turned)
        groups = 1
        while t >= 1:
            for g in range(groups):
                for j in range(2 * t * g, 2 * t * g + t):
                    _forward_pair_each(turned[j], turned[j + t], tail[groups - 1 + g], tailp[groups - 1 + g], q)
            groups *= 2
            t //= 2
        _transpose(turned, tiles)
        for j in range(n):
            x = a[j]
            x = min(x, x - twice)
            a[j] = min(x, x - q)


@njit(cache=True)
def inverse(rows, w, wp, tail, tailp, q, scale, scalep):
    """In place: undoes `forward`. Roots are the inverses; scale = 1/n mod q and its Shoup quotient."""
    n = rows.shape[1]
    blocks = n // TILE
    turned = np.empty((TILE, blocks), np.uint64)
    for r in range(rows.shape[0]):
        a = rows[r]
        tiles = a.reshape(blocks, TILE)
        _transpose(tiles, turned)
        t, groups = 1, TILE // 2
        while t < TILE:
            for g in range(groups):
                for j in range(2 * t * g, 2 * t * g + t):
                    _inverse_pair_each(turned[j], turned[j + t], tail[groups - 1 + g], tailp[groups - 1 + g], q)
            groups //= 2
            t *= 2
        _transpose(turned, tiles)
        m = n // (2 * t)
        while m >= 1:
            for i in range(m):
                _inverse_pair(
                    a[2 * i * t : 2 * i * t + t], a[2 * i * t + t : 2 * i * t + 2 * t], w[m + i], wp[m + i], q
                )
            m //= 2
            t *= 2
        for j in range(n):
            x = a[j] * scale - high(a[j], scalep) * q
            a[j] = min(x, x - q)
