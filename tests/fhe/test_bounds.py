# SPDX-License-Identifier: AGPL-3.0-or-later
"""Bounds that plans rest on, at the inputs that reach them."""

from __future__ import annotations

import numpy as np
import pytest

import fhe
from circuits import Circuit, CircuitBuilder
from fhe import noise, privacy
from fhe.packing.coefficient import CoefficientLayer, polynomials
from fhe.packing.columns import integer_layers
from fhe.ring import Ring
from tests.fhe.making import expected, inputs_of, linear, needs_seal, run


def signed(limbs: np.ndarray, ring: Ring) -> np.ndarray:
    """The first limb, coefficient form, centred: noise is far shorter than one modulus."""
    q = int(ring.q[0])
    values = limbs[0].astype(np.int64)
    return np.where(values > q // 2, values - q, values)


def flat(inputs: int, outputs: int, weight: int) -> Circuit:
    """One dense layer, all weights the same."""
    b = CircuitBuilder()
    x = b.input("x", (inputs,), 0, 255)
    c = [b.constant("w", np.full((inputs, outputs), weight)), b.constant("b", np.zeros(outputs, np.int64))]
    b.output("y", b.gate("dense", "dense", [x], c))
    return b.build()


@pytest.mark.parametrize("circuit", [linear((64, 64)), linear((300, 40)), flat(512, 64, -127)])
def test_noise_of_a_coefficient_layer_stays_within_its_bound(circuit: Circuit) -> None:
    """A coefficient of the product adds up all weights of a reply, not those of one output."""
    plan = fhe.plan(circuit, preset="lin8")
    level, n = plan.preset.levels, plan.preset.n
    layer = CoefficientLayer(plan.network, plan.interface)
    weights, _ = polynomials(plan.network.layers[0], plan.interface)
    fresh = noise.fresh_bound(plan.preset, symmetric=True)
    reply, place = divmod(int(plan.interface.scatter[-1]), n)
    limbs = np.zeros((len(plan.interface.gather), 2, level, n), np.uint64)
    index = place - np.arange(n)  # coefficient j of the noise meets weight place - j, negated where it wraps
    for block in range(len(limbs)):
        worst = fresh * np.sign(weights[reply, block, index % n]) * np.where(index < 0, -1, 1)
        limbs[block, 0] = layer.ring.forward(layer.ring.residues(worst, level))
    layer._bias[:] = 0
    seen = np.abs(signed(layer.ring.backward(layer.evaluate(limbs)[reply, 0]), layer.ring)).max()
    assert seen <= noise.bfv_noise(plan, symmetric=True)[-1]
    assert seen >= fresh * noise.row_sum(plan.network.layers[0].matrix)


def test_a_protected_layer_is_refused_where_all_of_its_weights_leave_no_room() -> None:
    assert fhe.statistical_distance_bits(fhe.plan(flat(512, 64, 127), preset="lin8", private=True)) >= 30
    with pytest.raises(fhe.UnsupportedError, match=r"fhe\.privacy\.no-room"):
        fhe.plan(flat(512, 512, 127), preset="lin8", private=True)


def test_flooding_leaves_every_protected_reply_decryptable() -> None:
    for circuit in (linear((784, 64)), flat(512, 64, 127)):
        plan = fhe.plan(circuit, preset="lin8", private=True)
        bound = noise.bfv_noise(plan, symmetric=True)[-1] + 2 * plan.preset.n * noise.ERROR_BOUND
        total = bound + (1 << privacy.flood_bits(plan))
        assert 2 * total * plan.preset.plain_modulus < plan.preset.modulus(plan.preset.levels)


def steep(bits: int) -> Circuit:
    """2^bits x + x^2."""
    b = CircuitBuilder()
    x = b.input("x", (2,), -1, 1)
    s = b.gate("mul", "square", [x, x])
    m = [b.constant(f"m{i}", np.array(v)) for i, v in enumerate((1 << bits, 1, 0))]
    b.output("y", b.gate("affine", "poly", [x, s], m))
    return b.build()


@pytest.mark.parametrize("bits", [40, 44, 46])
def test_weights_that_leave_64_bits_with_their_scale_are_refused(bits: int) -> None:
    with pytest.raises(fhe.UnsupportedError, match=r"fhe\.plan\.range"):
        fhe.plan(steep(bits), preset="batch-mlp-ckks", samples=4)


@needs_seal
def test_weights_that_fit_with_their_scale_are_exact() -> None:
    circuit = steep(20)
    plan = fhe.plan(circuit, preset="batch-mlp-ckks", samples=4)
    inputs = inputs_of(circuit, 4)
    assert all(matrix.max() < 1 << 53 for matrix, _ in integer_layers(plan.network, 24))
    assert np.abs(run(plan, inputs)[0] - expected(circuit, inputs)).max() <= fhe.estimate(plan).error
