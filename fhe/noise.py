# SPDX-License-Identifier: AGPL-3.0-or-later
"""How much of the modulus is left for the message: bounds of noise in BFV, of error in CKKS.

BFV: a ciphertext's phase is q m / t + v; it decrypts right while |v| < q / (2 t). The bounds here hold always, for keys
and encryptions as SEAL makes them: secret and u ternary, errors a centred binomial of 2 x 21 bits, so at most 21.

::

    fresh, symmetric            v <= 21 + 1/2
    fresh, under a public key   v <= 21 (2 n + 1) / p + (n + 2) / 2       p = 1 where there is no special prime
    layer                       v <= max row sum |W| * v
    square                      v <= t n (n + 5) v + (n^2 + n + 1) / 2 + 1
    switch                      v += level * n * max q_i * 21 / p + (n + 1) / 2

(Fan and Vercauteren 2012, lemma 2, with |s| <= 1; the last line by key switching's definition.)

CKKS: the error estimate takes every rounding and every error as independent and normal, adds variances in slot space,
and states eight standard deviations; a heuristic, compared with measurements in the tests.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from circuits.circuit import IntArray
from fhe.errors import UnsupportedError
from fhe.presets import Preset

if TYPE_CHECKING:
    from fhe.planning import EncryptedPlan

ERROR_BOUND = 21
SIGMA_SQUARED = 10.5
"""Variance of the centred binomial of 2 x 21 bits."""
DEVIATIONS = 8
PRECISION = 2.0**-4
"""The largest error, relative to what outputs are like, that a plan may be expected to have."""


def fresh_bound(preset: Preset, *, symmetric: bool) -> int:
    """Bound of a fresh BFV ciphertext's noise."""
    if symmetric:
        return ERROR_BOUND + 1
    return ERROR_BOUND * (2 * preset.n + 1) // (preset.special or 1) + preset.n // 2 + 2


def row_sum(matrix: IntArray) -> int:
    """Largest sum of |W| over a row."""
    return max(1, int(np.abs(matrix).sum(axis=1).max()))


def switch_bound(preset: Preset, level: int) -> int:
    """What key switching adds."""
    digits = sum(preset.moduli[:level]) * preset.n * ERROR_BOUND
    return digits // (preset.special or 1) + preset.n // 2 + 2


def square_bound(preset: Preset, noise: int) -> int:
    """Noise of a square, from that of its factor."""
    n = preset.n
    return preset.plain_modulus * n * (n + 5) * noise + (n * n + n + 1) // 2 + 1


def bfv_noise(plan: EncryptedPlan, *, symmetric: bool = False) -> list[int]:
    """Bounds of the noise behind each layer."""
    preset, found = plan.preset, []
    noise = fresh_bound(preset, symmetric=symmetric)
    for layer in plan.network.layers:
        if layer.after:
            noise = square_bound(preset, noise) + switch_bound(preset, preset.levels)
        noise = row_sum(layer.matrix) * noise + 1
        found.append(noise + (switch_bound(preset, preset.levels) if layer.after else 0))
    return found


def budget_bits(preset: Preset, noise: int) -> int:
    """log2 of how many times the noise would still fit: negative where it does not."""
    room = preset.modulus(preset.levels) // (2 * preset.plain_modulus)
    return room.bit_length() - noise.bit_length()


def check_noise(plan: EncryptedPlan) -> None:
    """Raises UnsupportedError (``fhe.plan.noise``) where a BFV answer might not decrypt."""
    if plan.preset.scheme != "bfv":
        return
    worst = max(bfv_noise(plan))
    if 2 * worst * plan.preset.plain_modulus >= plan.preset.modulus(plan.preset.levels):
        left = budget_bits(plan.preset, worst)
        raise UnsupportedError("fhe.plan.noise", f"noise may exceed the modulus of {plan.preset.name} by {-left} bits")


def check_precision(plan: EncryptedPlan) -> None:
    """Raises UnsupportedError (``fhe.plan.precision``) where a CKKS answer would be mostly error."""
    if plan.preset.scheme != "ckks":
        return
    error, size = ckks_error(plan), _typical(plan)
    if error > PRECISION * size:
        raise UnsupportedError(
            "fhe.plan.precision",
            f"{plan.preset.name}: an error of about {error:.3g} in values of about {size:.3g}",
            "calibrate with typical inputs, or use a preset of longer moduli",
        )


def _typical(plan: EncryptedPlan) -> float:
    """How large outputs are: as calibrated, or, without, as if all values were independent and of zero mean."""
    if plan.magnitudes:
        return float(plan.network.layers[-1].magnitude)
    size = max(abs(plan.network.lo), abs(plan.network.hi)) / 2
    for layer in plan.network.layers:
        size = size * size if layer.after else size
        spread = (layer.matrix.astype(np.float64) ** 2).sum(axis=1) * size**2 + layer.bias.astype(np.float64) ** 2
        size = math.sqrt(float(spread.max())) / 2.0**layer.shift
    return size


def ckks_error(plan: EncryptedPlan) -> float:
    """Estimated largest error of an output, in units of the circuit's integers (float64)."""
    return _columns_error(plan) if plan.packing == "columns" else _slots_error(plan)


def _fresh(preset: Preset) -> float:
    """Variance per slot of a fresh encryption, under a secret or a public key, times the scale squared."""
    return preset.n * (SIGMA_SQUARED + preset.n / 18 + 1 / 12)


def _rounding(preset: Preset) -> float:
    """Variance per slot of dividing a ciphertext by a modulus, times the scale squared."""
    return preset.n * (preset.n / 18 + 1 / 12)


def _switching(preset: Preset, level: int) -> float:
    """Variance per slot of key switching; digits are uniform on [-q_i/2, q_i/2]."""
    digits = sum(float(q) ** 2 for q in preset.moduli[:level]) / 12 * preset.n * SIGMA_SQUARED
    return preset.n * digits / float(preset.special or 1) ** 2 + _rounding(preset)


def _columns_error(plan: EncryptedPlan) -> float:
    """Everything in units of what the ciphertexts hold."""
    from fhe.packing.columns import integer_layers

    preset, network = plan.preset, plan.network
    bits = int(math.log2(plan.interface.input_scale))
    variance, power, left_out = _fresh(preset), 1, 0
    size = float(max(abs(network.lo), abs(network.hi)))
    for layer, (matrix, _) in zip(network.layers, integer_layers(network, bits), strict=True):
        squared = np.broadcast_to(matrix.astype(np.float64) ** 2, matrix.shape)
        before, linear = variance, np.zeros(len(matrix))
        if layer.after:
            variance = 4 * (size * 2.0 ** (power * bits + left_out)) ** 2 * before + _switching(preset, preset.levels)
            power, left_out = 2 * power, 2 * left_out
        if layer.after == "both":
            half = matrix.shape[1] // 2
            linear, squared = squared[:, :half].sum(axis=1) * before, squared[:, half:]
        variance = float((squared.sum(axis=1) * variance + linear).max())
        variance += _switching(preset, preset.levels) if layer.after else 0.0
        left_out += layer.shift
        size = float(layer.magnitude)
    return DEVIATIONS * math.sqrt(variance) * 2.0 ** -(power * bits + left_out)


def _slots_error(plan: EncryptedPlan) -> float:
    """Everything in units of the scaled values u = y / 2^e."""
    from fhe.packing.diagonals import steps_of
    from fhe.packing.slots import exponents, scales

    preset, network = plan.preset, plan.network
    exponent, found = exponents(network, preset), scales(network, preset)
    steps, _ = steps_of(network, preset.slots)
    rounding, level = _rounding(preset), preset.levels
    variance, size, scale = _fresh(preset) / 4.0**preset.scale_bits, 1.0, 2.0**preset.scale_bits
    for i, (layer, step, after) in enumerate(zip(network.layers, steps, found, strict=True)):
        if layer.after:
            variance = 4 * size**2 * variance + _switching(preset, level) / scale**4 + rounding / after**2
            level, size = level - 1, size * size
        factor = 2.0 ** ((2 * exponent[i] if i else exponent[0]) - exponent[i + 1] - layer.shift)
        weights = float(((layer.matrix.astype(np.float64) * factor) ** 2).sum(axis=1).max())
        turned = _switching(preset, level) / after**2 if len(step.babies) > 1 else 0.0
        terms = math.prod(len(fold) for fold in step.folds)  # slots that one result adds up
        encoding = preset.n / 12 / float(preset.moduli[level - 1]) ** 2 * size**2
        products = terms * sum(len(held) for held in step.diagonals)
        level -= 1
        parts = terms * (len(step.giants) + len(step.folds)) * (_switching(preset, level) + rounding) / after**2
        variance = weights * (variance + turned) + products * encoding + parts
        size, scale = layer.magnitude * 2.0 ** -exponent[i + 1], after
    return DEVIATIONS * math.sqrt(variance) * 2.0 ** exponent[-1]
