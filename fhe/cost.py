# SPDX-License-Identifier: AGPL-3.0-or-later
"""What an encrypted execution will take, before anything is sent: time, traffic, depth, noise left.

Times are work counted (transforms, products, floating-point operations, SEAL's squares) times the rates below,
measured on one core of a server processor with AVX-512; a machine without it is two to four times slower. Compare
plans by them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log2
from typing import TYPE_CHECKING

from fhe.noise import bfv_noise, budget_bits, ckks_error

if TYPE_CHECKING:
    from fhe.planning import EncryptedPlan

BUTTERFLY_NS = 1.0
PRODUCT_NS = 1.2
"""A residue's multiply-accumulate."""
GFLOPS = 20.0
SEAL_SQUARE_NS = 160.0
"""Per coefficient and modulus of a BFV square."""


@dataclass(frozen=True, slots=True)
class LayerCost:
    """One layer.

    Attributes:
        gates: what it computes, by the circuit's names.
        cpu_ms: of the node.
        level: moduli left behind it.
        budget_bits: BFV: noise budget left behind it, at least; None for CKKS.
    """

    gates: tuple[str, ...]
    cpu_ms: float
    level: int
    budget_bits: int | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A whole request. `error`: CKKS: expected largest error in the circuit's integers; 0.0 for BFV, which is exact."""

    cpu_ms: float
    bytes_sent: int
    bytes_returned: int
    key_bytes: int
    galois_bytes: int
    depth: int
    error: float
    layers: tuple[LayerCost, ...]


def _transform_ms(n: int) -> float:
    return n / 2 * log2(n) * BUTTERFLY_NS * 1e-6


def _switch_ms(n: int, level: int, rotations: int) -> float:
    """Digits once, products for each rotation, one division by the special prime."""
    transforms = level + level * level + 2 * (1 + level)
    return transforms * _transform_ms(n) + rotations * 2 * level * (level + 1) * n * PRODUCT_NS * 1e-6


def estimate(plan: EncryptedPlan) -> Estimate:
    """The cost of a plan."""
    interface, preset = plan.interface, plan.preset
    costs = {"coefficient": _coefficient, "columns": _columns, "diagonals": _diagonals}[plan.packing](plan)
    budgets: list[int | None] = [None] * len(costs)
    if preset.scheme == "bfv":
        budgets = [budget_bits(preset, noise) for noise in bfv_noise(plan)]
    layers = tuple(
        LayerCost(layer.gates, ms, level, budget)
        for layer, (ms, level), budget in zip(plan.network.layers, costs, budgets, strict=True)
    )
    extra = interface.returned * (4 * interface.output_level + 1) * _transform_ms(preset.n) if plan.private else 0.0
    galois = sum(_key_bytes(plan, digits) for digits in interface.keys.galois.values())
    relin = _key_bytes(plan, interface.keys.relin) if interface.keys.relin else 0
    public = preset.public_key_bytes if interface.keys.public else 0
    return Estimate(
        sum(layer.cpu_ms for layer in layers) + extra,
        interface.sent * preset.ciphertext_bytes(),
        interface.returned * preset.ciphertext_bytes(interface.output_level),
        public + relin + galois,
        galois,
        2 * plan.network.squares + 1,
        0.0 if preset.scheme == "bfv" else ckks_error(plan),
        layers,
    )


def _key_bytes(plan: EncryptedPlan, digits: int) -> int:
    preset = plan.preset
    return digits * 2 * preset.n * preset.residue_bytes([*preset.moduli[:digits], preset.moduli[-1]])


def _coefficient(plan: EncryptedPlan) -> list[tuple[float, int]]:
    interface, preset = plan.interface, plan.preset
    products = interface.samples * interface.replies * len(interface.gather) * 2 * preset.levels * preset.n
    return [(products * PRODUCT_NS * 1e-6, preset.levels)]


def _columns(plan: EncryptedPlan) -> list[tuple[float, int]]:
    from fhe.packing.columns import digit_bits

    preset, costs = plan.preset, []
    level, n = preset.levels, preset.n
    for layer in plan.network.layers:
        outputs, inputs = layer.matrix.shape
        ms = 0.0
        if layer.after:
            ms += inputs * level * n * (SEAL_SQUARE_NS if preset.scheme == "bfv" else 4 * PRODUCT_NS) * 1e-6
            ms += min(inputs, outputs) * _switch_ms(n, level, 1)
        polynomials = 3 if layer.after and outputs < inputs else 2
        digits = sum(-(-q.bit_length() // digit_bits(layer.matrix, q)) for q in preset.moduli[:level])
        ms += 2 * outputs * inputs * polynomials * digits * n / GFLOPS * 1e-6
        costs.append((ms, level))
    return costs


def _diagonals(plan: EncryptedPlan) -> list[tuple[float, int]]:
    from fhe.packing.diagonals import steps_of

    preset, costs, level = plan.preset, [], plan.preset.levels
    steps, _ = steps_of(plan.network, preset.slots)
    for index, step in enumerate(steps):
        ms = 0.0
        if index:
            ms += _switch_ms(preset.n, level, 1) + 2 * level * _transform_ms(preset.n)
            level -= 1
        turns = len([b for b in step.babies if b])
        if turns:
            ms += len(step.diagonals) * _switch_ms(preset.n, level, turns)
        ms += sum(len(held) for held in step.diagonals) * 2 * level * preset.n * PRODUCT_NS * 1e-6
        level -= 1
        ms += len(step.giants) * 2 * (level + 1) * _transform_ms(preset.n)
        ms += sum(_switch_ms(preset.n, level, 1) for g in step.giants if g)
        ms += sum(_switch_ms(preset.n, level, len(fold) - 1) for fold in step.folds)
        costs.append((ms * plan.interface.samples, level))
    return costs
