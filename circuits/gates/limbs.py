# SPDX-License-Identifier: AGPL-3.0-or-later
"""Cutting a convolution that is too wide for float32 into parts that are not.

w = sum_j 2^(kj) w_j with balanced digits |w_j| <= 2^(k-1); each part conv(x, w_j) stays below 2^24 in every
partial sum, and the parts add up exactly in float64. Where even single-bit digits are too wide, x is cut as well:
x = sum_i 2^(ti) x_i with 0 <= x_i < 2^t for all limbs but the top one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from circuits.circuit import IntArray
from circuits.errors import UnsupportedError
from circuits.limits import NARROW


@dataclass(frozen=True, eq=False, slots=True)
class Part:
    """weights * 2^exponent applied to x, or to limb `input_limb` of x in limbs of `input_bits` bits.

    The input limb's own weight 2^(input_bits * input_limb) is part of `exponent`.
    """

    weights: IntArray
    exponent: int
    input_bits: int | None = None
    input_limb: int = 0


def split_weights(weights: IntArray, magnitude: int) -> list[Part]:
    """Parts whose float32 convolution with |x| <= magnitude is exact, as few as possible.

    Raises UnsupportedError when a filter has so many taps that no cut helps (over 2^22 of them).
    """
    digits = _cut(weights, magnitude)
    if digits is not None:
        return [Part(w, exponent) for w, exponent in digits]
    width = magnitude.bit_length()
    for bits in range(width - 1, 0, -1):
        digits = _cut(weights, 1 << bits)
        if digits is not None:
            limbs = range(-(-width // bits))
            return [Part(w, e + bits * i, bits, i) for i in limbs for w, e in digits]
    raise UnsupportedError(
        "circuit.emission.too-wide",
        f"a filter of {weights[0].size} taps has no exact float32 decomposition",
        "use fewer bits for weights or activations",
    )


def _cut(weights: IntArray, magnitude: int) -> list[tuple[IntArray, int]] | None:
    width = int(np.abs(weights).max()).bit_length() + 1
    for count in range(1, width + 1):
        bits = -(-width // count)
        if bits < 2 and count > 1:
            break  # balanced digits need two bits to make progress
        digits = _digits(weights, bits, count)
        norms = [int(np.abs(d).reshape(len(d), -1).sum(axis=1).max()) for d in digits]
        if max(norms) * magnitude < NARROW:
            parts = [(d, bits * j) for j, d in enumerate(digits)]
            return [p for p in parts if p[0].any()] or parts[:1]
    return None


def _digits(weights: IntArray, bits: int, count: int) -> list[IntArray]:
    """Balanced base-2^bits digits, least significant first; the last one takes what is left."""
    digits, rest, half = [], weights, 1 << (bits - 1)
    for _ in range(count - 1):
        digit = ((rest + half) & ((1 << bits) - 1)) - half
        digits.append(digit)
        rest = (rest - digit) >> bits
    return [*digits, rest]
