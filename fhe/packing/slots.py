# SPDX-License-Identifier: AGPL-3.0-or-later
"""Evaluation of the steps of :mod:`fhe.packing.diagonals` in CKKS.

Values are kept as u = y / 2^e with e from the circuit's bounds: |u| <= 2^HEADROOM between layers, and as large as the
last modulus allows at the end. Powers of two alone, so the weights that are encoded are exact in float64 and an
auditor encodes the same ones. Weights are encoded at the scale of the modulus that is dropped behind them, which keeps
the scale of the values exactly.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from fhe.errors import UnsupportedError
from fhe.interface import Interface, KeyDemand
from fhe.network import Network
from fhe.packing.diagonals import Step, rotation_element, steps_of
from fhe.presets import Preset
from fhe.wire.keys import EvaluationKeys
from fhe.wire.residues import Limbs

if TYPE_CHECKING:
    from circuits.circuit import IntArray

HEADROOM = 3
"""Between layers values reach 2^3, squares 2^6."""


def exponents(network: Network, preset: Preset) -> list[int]:
    """log2 of the divisor of the input, then of each layer's output."""
    found = [max(abs(network.lo), abs(network.hi)).bit_length()]
    last = preset.moduli[0].bit_length() - preset.scale_bits - 2
    for layer in network.layers:
        room = last if layer is network.layers[-1] else HEADROOM
        found.append(layer.magnitude.bit_length() - room)
    return found


def design(network: Network, preset: Preset, samples: int) -> Interface:
    """Raises UnsupportedError: ``fhe.plan.packing``, ``fhe.plan.depth``."""
    if preset.scheme != "ckks":
        raise UnsupportedError("fhe.plan.packing", "rotated diagonals are for CKKS")
    used = 2 * network.squares + 1
    if used >= preset.levels:
        raise UnsupportedError("fhe.plan.depth", f"{used} multiplications; {preset.name} carries {preset.levels - 1}")
    steps, gather = steps_of(network, preset.slots)
    exponent = exponents(network, preset)
    return Interface(
        preset=preset,
        encoding="slots",
        samples=samples,
        inputs=network.layers[0].matrix.shape[1],
        outputs=len(steps[-1].targets),
        lo=network.lo,
        hi=network.hi,
        gather=gather,
        scatter=steps[-1].targets,
        replies=1,
        output_level=preset.levels - used,
        input_scale=2.0**preset.scale_bits,
        output_scale=scales(network, preset)[-1],
        unit=2.0 ** -exponent[0],
        output_unit=2.0 ** exponent[-1],
        keys=_keys(steps, preset),
    )


def scales(network: Network, preset: Preset) -> list[float]:
    """The values' scale behind each layer: unchanged by a layer, squared and divided by a modulus by a square."""
    scale, level, found = 2.0**preset.scale_bits, preset.levels, []
    for layer in network.layers:
        if layer.after:
            scale = scale * scale / preset.moduli[level - 1]
            level -= 1
        found.append(scale)
        level -= 1
    return found


def _keys(steps: list[Step], preset: Preset) -> KeyDemand:
    level, galois, relin = preset.levels, dict[int, int](), 0
    for index, step in enumerate(steps):
        if index:
            relin = max(relin, level)
            level -= 1
        lower = {g for g in step.giants if g} | {r for fold in step.folds for r in fold if r}
        for rotations, digits in (({b for b in step.babies if b}, level), (lower, level - 1)):
            for rotation in rotations:
                element = rotation_element(rotation, preset.n)
                galois[element] = max(galois.get(element, 0), digits)
        level -= 1
    return KeyDemand(relin=relin, galois=galois)


class SlotNetwork:
    """The layers with their plaintexts encoded once."""

    def __init__(self, network: Network, interface: Interface, keys: EvaluationKeys) -> None:
        from fhe.ring import Ring
        from fhe.switching import Switcher

        self.interface, self.preset = interface, interface.preset
        self.ring = Ring(self.preset)
        self._steps, _ = steps_of(network, self.preset.slots)
        self._switcher = Switcher(self.ring, keys)
        self._plain: list[list[dict[tuple[int, int], Limbs]]] = []
        self._bias: list[Limbs] = []
        exponent, level = exponents(network, self.preset), self.preset.levels
        for i, (layer, step, scale) in enumerate(
            zip(network.layers, self._steps, scales(network, self.preset), strict=True)
        ):
            before = 2 * exponent[i] if i else exponent[0]
            level -= 1 if i else 0
            factor = 2.0 ** (before - exponent[i + 1] - layer.shift)
            self._plain.append([self._encoded(held, factor, level) for held in step.diagonals])
            bias = np.concatenate([layer.bias, [0]])[step.repeats] * 2.0 ** (-exponent[i + 1] - layer.shift)
            level -= 1
            self._bias.append(self.ring.forward(self._residues(bias, scale, level)))

    def _encoded(
        self, held: dict[tuple[int, int], IntArray], factor: float, level: int
    ) -> dict[tuple[int, int], Limbs]:
        """Plaintexts [level, n] in NTT and Montgomery form, each turned by its baby step."""
        scale = float(self.preset.moduli[level - 1])
        found = {}
        for (giant, baby), weights in held.items():
            residues = self._residues(np.roll(weights, -baby) * factor, scale, level)
            found[giant, baby] = self.ring.montgomery(self.ring.forward(residues))
        return found

    def _residues(self, values: object, scale: float, level: int) -> Limbs:
        from fhe.embedding import encode

        slots = np.asarray(values, np.float64)
        if float(np.abs(slots).max()) * scale >= 2.0**60:
            raise UnsupportedError("fhe.plan.range", f"weights reach 2^{math.log2(float(np.abs(slots).max())):.0f}")
        return self.ring.residues(encode(slots, scale, self.preset.n), level)

    def evaluate(self, limbs: Limbs) -> Limbs:
        """[samples * ciphertexts, 2, level, n] -> [samples, 2, output level, n]."""
        each = len(self.interface.gather)
        return np.stack([self._one(limbs[i : i + each]) for i in range(0, len(limbs), each)])

    def _one(self, held: Limbs) -> Limbs:
        value: Limbs = held[0]
        for i, step in enumerate(self._steps):
            if i:
                value = self._square(value)
            value = self._layer(step, self._plain[i], list(held) if i == 0 else [value])
            value[0] = self.ring.add(value[0], self._bias[i])
        return value

    def _square(self, value: Limbs) -> Limbs:
        from fhe.squares import square

        squared: Limbs = self._switcher.relinearise(square(self.ring, value))
        return self._switcher.rescale(squared)

    def _layer(self, step: Step, plain: list[dict[tuple[int, int], Limbs]], sources: list[Limbs]) -> Limbs:
        from fhe import kernels

        level, n = sources[0].shape[1:]
        q, qi = self.ring.q[:level], self.ring.inverses[:level]
        babies = step.babies
        turned = [dict(zip(babies, self._switcher.rotations(x, babies), strict=True)) for x in sources]
        parts = []
        for giant in step.giants:
            total = np.zeros((2, level, n), np.uint64)
            for source, held in zip(turned, plain, strict=True):
                for baby in babies:
                    if (giant, baby) in held:
                        for p in range(2):
                            for k in range(level):
                                kernels.accumulate(total[p, k], source[baby][p, k], held[giant, baby][k], q[k], qi[k])
            for p in range(2):
                for k in range(level):
                    kernels.settle(total[p, k : k + 1], q[k])
            parts.append((self._switcher.rescale(total), (giant,)))
        value = self._switcher.rotated_sum(parts)
        for fold in step.folds:
            value = self._switcher.rotated_sum([(value, fold)])
        return value
