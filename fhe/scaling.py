# SPDX-License-Identifier: AGPL-3.0-or-later
"""Messages as ring elements: BFV's round(q m / t), CKKS's integers, modulo each prime.

q m = t * round(q m / t) + r with r centred gives round(q m / t) = (q m - r) / t; modulo a prime p of q that is -r / t,
so no long integers are needed: r = q m mod t, centred (SEAL computes the same number; seal/util/scalingvariant.cpp).
"""

from __future__ import annotations

import numpy as np

from circuits.circuit import IntArray
from fhe.presets import Preset
from fhe.wire.residues import Limbs


def scaled(message: IntArray, preset: Preset, level: int) -> Limbs:
    """int64 [..., n] -> limbs [..., level, n], coefficient form. BFV messages count modulo t; CKKS ones as they are."""
    moduli = preset.moduli[:level]
    if preset.scheme == "ckks":
        return np.stack([np.mod(message, np.int64(p)).astype(np.uint64) for p in moduli], axis=-2)
    t = preset.plain_modulus
    remainder = times_mod(np.mod(message, np.int64(t)), preset.modulus(level) % t, t)
    centred = np.where(remainder > t // 2, remainder - t, remainder)
    rows = []
    for p in moduli:
        factor = (-pow(t, -1, p)) % p
        rows.append(times_mod(np.mod(centred, np.int64(p)), factor, p).astype(np.uint64))
    return np.stack(rows, axis=-2)


def times_mod(values: IntArray, factor: int, modulus: int) -> IntArray:
    """values * factor mod modulus, exactly, for values in [0, modulus), modulus < 2^61: by doubling in short steps."""
    step = 62 - modulus.bit_length()
    digits = []
    while factor:
        digits.append(factor & ((1 << step) - 1))
        factor >>= step
    result = np.zeros_like(values)
    for digit in reversed(digits):
        result = (
            (result << np.int64(step)) % np.int64(modulus) + values * np.int64(digit) % np.int64(modulus)
        ) % np.int64(modulus)
    return result
