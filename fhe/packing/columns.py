# SPDX-License-Identifier: AGPL-3.0-or-later
"""Columns: one ciphertext per feature, samples side by side in its slots; BFV (exact) and CKKS; no Galois keys.

A linear layer with integer weights multiplies ciphertexts by integers and adds them up, so on limbs it is one integer
matrix product (:mod:`fhe.gemm`); no encoding, no transform (CryptoNets, Gilad-Bachrach et al. 2016, has the packing).
Squares are products of ciphertexts: pointwise in CKKS, by SEAL in BFV. A square's three polynomials go through the
next layer as they are if that has fewer outputs, and are relinearised behind it.

CKKS needs no rescaling: weights are integers, the scale is squared with the values, and the input's scale is the
largest power of two for which the circuit's bounds keep every value below half the modulus.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from circuits.circuit import IntArray
from fhe.errors import UnsupportedError
from fhe.interface import Interface, KeyDemand
from fhe.network import Network, check_range
from fhe.presets import Preset
from fhe.scaling import scaled
from fhe.wire.keys import EvaluationKeys
from fhe.wire.residues import Limbs

if TYPE_CHECKING:
    from fhe.ring import Ring
    from fhe.squares import BfvSquares, CkksSquares

MANTISSA = 53
"""float64 is exact on integers below 2^53."""

LEAST_DIGIT_BITS = 6
"""Shorter digits of residues make more matrix products than anybody wants."""

LEAST_SCALE_BITS = 8
"""Below this scale an input integer drowns in fresh noise."""

MOST_SCALE_BITS = 24
"""More precision than this buys nothing: what the answer is off by then comes from key switching."""


def product_is_exact(matrix: IntArray) -> bool:
    """Whether digits of a few bits of every residue can be multiplied exactly."""
    return float(np.abs(matrix.astype(np.float64)).sum(axis=1).max()) < 2.0 ** (MANTISSA - LEAST_DIGIT_BITS)


def digit_bits(weights: IntArray, modulus: int) -> int:
    """Bits per digit of a residue: as few digits as the weights allow, of equal length."""
    norm = max(1, int(np.abs(weights).sum(axis=1).max()))
    digits = -(-modulus.bit_length() // (MANTISSA - norm.bit_length()))
    return -(-modulus.bit_length() // digits)


def integer_layers(network: Network, scale_bits: int) -> list[tuple[IntArray, list[int]]]:
    """Weights int64 and biases (long integers) of each layer, as they act on what the ciphertexts hold.

    With s bits of scale, ciphertexts hold U = 2^(p s + S) y, where y are the layer's values, p the power that the
    scale has been raised to and S the sum of the requantisations that have been left out. BFV has s = S = 0.

    Raises UnsupportedError (``fhe.plan.range``) where a weight on values beside their squares leaves 53 bits.
    """
    power, left_out, layers = 1, 0, []
    for layer in network.layers:
        matrix = layer.matrix
        if layer.after == "both":
            raised, half, up = matrix.copy(), matrix.shape[1] // 2, power * scale_bits + left_out
            if int(np.abs(raised[:, :half]).max()).bit_length() + up > MANTISSA:
                raise UnsupportedError("fhe.plan.range", "weights too large for an exact matrix product")
            raised[:, :half] <<= up
            matrix = raised
        if layer.after:
            power, left_out = 2 * power, 2 * left_out
        layers.append((matrix, [int(b) << (power * scale_bits + left_out) for b in layer.bias]))
        left_out += layer.shift
    return layers


def scale_bits_of(network: Network, preset: Preset) -> int:
    """The largest s for which all |U| stay below a quarter of the modulus."""
    room = preset.modulus(preset.levels).bit_length() - 3
    power, left_out, bits = 1, 0, room
    for layer in network.layers:
        if layer.after:
            power, left_out = 2 * power, 2 * left_out
        left_out += layer.shift
        bits = min(bits, (room - left_out - layer.magnitude.bit_length()) // power)
    return min(bits, MOST_SCALE_BITS)


def design(network: Network, preset: Preset, samples: int) -> Interface:
    """Raises UnsupportedError: ``fhe.plan.packing``, ``.depth``, ``.range`` (values beyond the plaintext modulus)."""
    if samples > preset.slots:
        raise UnsupportedError(
            "fhe.plan.packing", f"{samples} samples; {preset.name} holds {preset.slots} side by side"
        )
    squares = network.squares
    if (squares and preset.special is None) or 2 * squares + 1 > max(1, preset.depth + 1):
        raise UnsupportedError("fhe.plan.depth", f"{squares} squares; {preset.name} carries {preset.depth // 2}")
    scale, left_out = 1.0, 0
    if preset.scheme == "bfv":
        if not network.exact:
            raise UnsupportedError("fhe.plan.inexact", "a requantisation has no exact form in BFV", "use CKKS")
        check_range(network, preset)
        if any(not layer.matrix.any(axis=1).all() for layer in network.layers[:-1]):
            raise UnsupportedError(
                "fhe.plan.packing",
                "a value that depends on no input is squared; its ciphertext would be readable",
                "remove the dead unit, its constant goes into the next bias",
            )
        layers = integer_layers(network, 0)
    else:
        bits = scale_bits_of(network, preset)
        if bits < LEAST_SCALE_BITS:
            raise UnsupportedError(
                "fhe.plan.range", f"values of {network.layers[-1].magnitude} leave a scale of 2^{bits}"
            )
        layers = integer_layers(network, bits)
        scale = 2.0**bits
        for layer in network.layers:
            left_out = (2 * left_out if layer.after else left_out) + layer.shift
    if any(not product_is_exact(matrix) for matrix, _ in layers):
        raise UnsupportedError("fhe.plan.range", "weights too large for an exact matrix product")
    outputs = len(network.layers[-1].bias)
    return Interface(
        preset=preset,
        encoding="columns",
        samples=samples,
        inputs=network.layers[0].matrix.shape[1],
        outputs=outputs,
        lo=network.lo,
        hi=network.hi,
        gather=np.zeros((0, preset.slots), np.int64),
        scatter=np.zeros(0, np.int64),
        replies=outputs,
        output_level=preset.levels,
        input_scale=scale,
        output_scale=scale ** (2**squares),
        output_unit=2.0**-left_out,
        keys=KeyDemand(relin=preset.levels if squares else 0),
    )


class ColumnNetwork:
    """The layers, evaluated on columns."""

    def __init__(self, network: Network, interface: Interface, keys: EvaluationKeys) -> None:
        from fhe.gemm import product
        from fhe.ring import Ring

        self.interface, self.preset = interface, interface.preset
        self.ring = Ring(self.preset)
        self._product = product
        self._after = [layer.after for layer in network.layers]
        bits = int(math.log2(interface.input_scale))
        self._layers = [(matrix, self._constant(bias)) for matrix, bias in integer_layers(network, bits)]
        self._squares = _square_of(self.preset, self.ring, keys) if network.squares else None

    def _constant(self, bias: list[int]) -> Limbs:
        """The bias as a residue each: [outputs, levels]."""
        moduli = self.preset.moduli[: self.preset.levels]
        if self.preset.scheme == "bfv":
            return scaled(np.array(bias, np.int64)[:, None], self.preset, self.preset.levels)[..., 0]
        return np.array([[b % q for q in moduli] for b in bias], np.uint64)

    def evaluate(self, limbs: Limbs) -> Limbs:
        """[inputs, 2, level, n] in the preset's form -> [outputs, 2, level, n]."""
        for after, (matrix, constant) in zip(self._after, self._layers, strict=True):
            if after and self._squares is not None:
                linear, limbs = limbs, self._squares.square(limbs)
                if len(matrix) >= len(limbs):
                    limbs = self._squares.relinearise(limbs)
                if after == "both":
                    padded = np.zeros((len(linear), *limbs.shape[1:]), np.uint64)
                    padded[:, :2] = linear
                    limbs = np.concatenate([padded, limbs])
            limbs = self._layer(matrix, limbs)
            # A constant in all slots is a constant polynomial: one coefficient, or every place of its transform.
            places = slice(None) if self.preset.ntt else slice(0, 1)
            limbs[:, 0, :, places] = self.ring.add(limbs[:, 0, :, places], constant[:, :, None])
            if limbs.shape[1] == 3 and self._squares is not None:
                limbs = self._squares.relinearise(limbs)
        return limbs

    def _layer(self, matrix: IntArray, limbs: Limbs) -> Limbs:
        _, polynomials, level, n = limbs.shape
        out = np.empty((len(matrix), polynomials, level, n), np.uint64)
        for p in range(polynomials):
            for i in range(level):
                out[:, p, i] = self._product(matrix, np.ascontiguousarray(limbs[:, p, i]), self.ring.primes[i])
        return out


def _square_of(preset: Preset, ring: Ring, keys: EvaluationKeys) -> BfvSquares | CkksSquares:
    from fhe.squares import BfvSquares, CkksSquares

    return BfvSquares(preset, ring, keys) if preset.scheme == "bfv" else CkksSquares(preset, ring, keys)
