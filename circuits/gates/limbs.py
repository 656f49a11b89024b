# SPDX-License-Identifier: AGPL-3.0-or-later
"""Cutting a convolution that is too wide for float32 into parts that are not.

Cut the input channels into ranges, as long as a few ranges do: the multiplications stay as many as they were.
Otherwise cut the weights: w = sum_j 2^(kj) w_j with balanced digits |w_j| <= 2^(k-1). Where even short digits
are too wide, cut x as well: x = sum_i 2^(ti) x_i with 0 <= x_i < 2^t for all limbs but the top one. Every part
stays below 2^24 in every partial sum, and the parts add up exactly in float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from circuits.circuit import IntArray
from circuits.errors import UnsupportedError
from circuits.limits import NARROW

MAX_RANGES = 8
"""More ranges of channels than this cost more in additions than limbs cost in multiplications."""


@dataclass(frozen=True, eq=False, slots=True)
class Part:
    """weights * 2^exponent applied to x, or to limb `input_limb` of x in limbs of `input_bits` bits.

    `channels` is the range of input channels that the weights cover; None for all. The
    input limb's own weight 2^(input_bits * input_limb) is part of `exponent`.
    """

    weights: IntArray
    exponent: int
    input_bits: int | None = None
    input_limb: int = 0
    channels: tuple[int, int] | None = None


def split_weights(weights: IntArray, magnitude: int, groups: int) -> list[Part]:
    """Parts whose float32 convolution with |x| <= magnitude is exact, as few as possible.

    Raises UnsupportedError when a filter has so many taps that no cut helps (over 2^22 of them).
    """
    ranges = _channel_ranges(weights, magnitude) if groups == 1 else None
    if ranges is not None:
        if len(ranges) == 1:
            return [Part(weights, 0)]
        return [Part(weights[:, a:b], 0, channels=(a, b)) for a, b in ranges]
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


def _channel_ranges(weights: IntArray, magnitude: int) -> list[tuple[int, int]] | None:
    """At most MAX_RANGES ranges of input channels, each exact in float32; None if that is not enough."""
    channels = weights.shape[1]
    sums = np.abs(weights).reshape(len(weights), channels, -1).sum(axis=2).cumsum(axis=1)
    room = (NARROW - 1) // max(magnitude, 1)  # what the L1 norm of a filter may be
    ranges: list[tuple[int, int]] = []
    start, base = 0, np.zeros(len(weights), dtype=np.int64)
    while start < channels and len(ranges) < MAX_RANGES:
        fitting = int(((sums[:, start:] - base[:, None]) <= room).all(axis=0).sum())
        if fitting == 0:
            return None
        ranges.append((start, start + fitting))
        base, start = sums[:, start + fitting - 1], start + fitting
    return ranges if start == channels else None


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
