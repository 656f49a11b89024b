# SPDX-License-Identifier: AGPL-3.0-or-later
"""CKKS encoding: real slots <-> integer polynomial, the same integers on every machine.

The canonical embedding (Cheon, Kim, Kim, Song 2017): slot j of m is m(zeta^(3^j)), zeta = exp(i pi / n), in SEAL's
order. An auditor who encodes the weights again must get the same bits, so nothing here depends on a mathematical
library: roots come from integer square roots, the transform is a radix-2 FFT of separate additions and
products, each rounded once by IEEE 754.
"""

from __future__ import annotations

from functools import lru_cache
from math import isqrt

import numpy as np
import numpy.typing as npt

from circuits.circuit import IntArray

Reals = npt.NDArray[np.float64]
_BITS = 128


@lru_cache(maxsize=8)
def _roots(n: int) -> tuple[Reals, Reals]:
    """cos and sin of pi k / n for 0 <= k < 2n, each within an ulp, from 128-bit fixed point."""
    one = 1 << _BITS
    cosine, sine = 0, one  # pi / 2
    angle = 2
    while angle < n:
        cosine, sine = isqrt((one + cosine) * one // 2), isqrt((one - cosine) * one // 2)
        angle *= 2
    x, y = one, 0
    xs, ys = np.zeros(2 * n), np.zeros(2 * n)
    for k in range(2 * n):
        xs[k], ys[k] = x / one, y / one
        x, y = (x * cosine - y * sine) >> _BITS, (x * sine + y * cosine) >> _BITS
    return xs, ys


@lru_cache(maxsize=8)
def slot_places(n: int) -> tuple[IntArray, IntArray]:
    """Index of slot j among the odd powers of zeta, and that of its conjugate: BFV's second row of slots."""
    power, own, other = 1, [], []
    for _ in range(n // 2):
        own.append((power - 1) // 2)
        other.append((2 * n - power - 1) // 2)
        power = power * 3 % (2 * n)
    return np.array(own), np.array(other)


def _transform(re: Reals, im: Reals, n: int, sign: int) -> tuple[Reals, Reals]:
    """sum_i x_i exp(sign 2 pi i k / n) over the last axis, by decimation in time."""
    bits = n.bit_length() - 1
    order = np.array([int(f"{i:0{bits}b}"[::-1], 2) for i in range(n)])
    re, im = re[..., order], im[..., order]
    cosines, sines = _roots(n)
    half = 1
    while half < n:
        step = n // half
        c, s = cosines[:n:step], sign * sines[:n:step]
        shape = (*re.shape[:-1], n // (2 * half), 2, half)
        a, b = re.reshape(shape), im.reshape(shape)
        x, y = a[..., 1, :] * c - b[..., 1, :] * s, a[..., 1, :] * s + b[..., 1, :] * c
        re = np.stack([a[..., 0, :] + x, a[..., 0, :] - x], axis=-2).reshape(re.shape)
        im = np.stack([b[..., 0, :] + y, b[..., 0, :] - y], axis=-2).reshape(im.shape)
        half *= 2
    return re, im


def encode(slots: Reals, scale: float, n: int) -> IntArray:
    """float64 [..., n/2] -> int64 [..., n]: round(scale * m), with m(zeta^(3^j)) = slots[j]; |scale * m| < 2^62."""
    own, other = slot_places(n)
    re = np.zeros((*slots.shape[:-1], n))
    re[..., own] = slots
    re[..., other] = slots
    re, im = _transform(re, np.zeros_like(re), n, -1)
    cosines, sines = _roots(n)
    c, s = cosines[:n], sines[:n]
    return np.rint((re * c + im * s) * (scale / n)).astype(np.int64)


def decode(coefficients: Reals, scale: float, n: int) -> Reals:
    """float64 [..., n] -> float64 [..., n/2]: the real parts of m(zeta^(3^j)) / scale."""
    cosines, sines = _roots(n)
    re, _ = _transform(coefficients * cosines[:n], coefficients * sines[:n], n, 1)
    own, _ = slot_places(n)
    result: Reals = re[..., own] / scale
    return result
