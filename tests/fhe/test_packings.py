# SPDX-License-Identifier: AGPL-3.0-or-later
"""Evaluation of every packing: BFV equals the circuit's integers bit for bit, CKKS is within its stated error."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import fhe
from circuits import Circuit, CircuitBuilder
from fhe.packing.coefficient import block_width, design, polynomials
from fhe.packing.diagonals import Slots, steps_of
from fhe.planning import remake
from tests.fhe.making import (
    expected,
    inputs_of,
    linear,
    mlp,
    needs_seal,
    noise_budget,
    rich,
    run,
    session,
    tutorial_cnn,
    with_requant,
)

pytestmark = needs_seal


@pytest.mark.parametrize(
    ("circuit", "preset", "samples"),
    [
        (linear((784, 64)), "lin8", 1),
        (linear((784, 64)), "lin8", 3),
        (linear((512, 512)), "lin8", 1),
        (linear((4096, 3), 15, 15), "lin8", 1),
        (linear((1, 1)), "lin8", 1),
        (linear((300, 10), 63, 15), "lin6-public", 2),
        (linear((20, 5), 15, 7), "batch-lin", 100),
        (mlp((20, 8, 3), 15, 7), "batch-mlp-exact", 50),
        (mlp((30, 4, 1), 3, 3), "card-8192", 50),
        (mlp((4, 9), 15, 7), "card-8192", 8192),
    ],
    ids=lambda value: value if isinstance(value, str | int) else "",
)
def test_bfv_gives_the_integers_of_the_circuit(circuit: Circuit, preset: str, samples: int) -> None:
    plan = fhe.plan(circuit, preset=preset, samples=samples)
    inputs = inputs_of(circuit, samples)
    values, _, answer = run(plan, inputs)
    assert values.dtype == np.int64 and np.array_equal(values, expected(circuit, inputs))
    promised = fhe.estimate(plan).layers[-1].budget_bits
    assert promised is not None and noise_budget(session(preset), answer) >= promised


def test_bfv_is_exact_at_the_ends_of_the_input_range() -> None:
    circuit = linear((784, 64))
    for value in (0, 255):
        inputs = np.full((1, 784), value)
        assert np.array_equal(run(fhe.plan(circuit, preset="lin8"), inputs)[0], expected(circuit, inputs))


def _convolution() -> Circuit:
    rng = np.random.default_rng(5)
    b = CircuitBuilder()
    x = b.input("x", (2, 8, 8), -20, 20)
    c = [b.constant("w", rng.integers(-9, 10, (3, 2, 3, 3))), b.constant("b", rng.integers(-9, 10, 3))]
    b.output("y", b.gate("conv", "conv", [x], c, pads=[1, 1, 1, 1], strides=[2, 2]))
    return b.build()


def test_a_convolution_is_exact_in_coefficients() -> None:
    circuit = _convolution()
    inputs = inputs_of(circuit, 1)
    assert np.array_equal(run(fhe.plan(circuit, preset="lin8"), inputs)[0], expected(circuit, inputs))


def _polynomial() -> Circuit:
    b = CircuitBuilder()
    x = b.input("x", (6,), -3, 3)
    h = b.gate(
        "dense", "first", [x], [b.constant("w", np.arange(12).reshape(6, 2) - 5), b.constant("b", np.array([1, 2]))]
    )
    s = b.gate("mul", "square", [h, h])
    m = [b.constant("m0", np.array([3, -1])), b.constant("m1", np.array(2)), b.constant("m2", np.array(-1))]
    h = b.gate("affine", "poly", [h, s], m)
    last = [b.constant("v", np.array([[1, 2, 3], [4, -5, 6]])), b.constant("c", np.array([1, 2, 3]))]
    b.output("y", b.gate("dense", "last", [h], last))
    return b.build()


@pytest.mark.parametrize("preset", ["batch-mlp-exact", "batch-mlp-ckks"])
def test_polynomials_of_degree_two_run_in_columns(preset: str) -> None:
    circuit = _polynomial()
    plan = fhe.plan(circuit, preset=preset, samples=9)
    inputs = inputs_of(circuit, 9)
    values, _, _ = run(plan, inputs)
    error = fhe.estimate(plan).error
    assert np.abs(values - expected(circuit, inputs)).max() <= error and error < 40


@pytest.mark.parametrize(
    ("circuit", "preset", "samples"),
    [
        (mlp((20, 8, 3), 15, 7), "batch-mlp-ckks", 33),
        (mlp((5, 3, 9), 15, 7), "batch-mlp-ckks", 2048),
        (mlp((784, 64, 10), 15, 7), "mlp1", 1),
        (mlp((100, 17, 5), 15, 7), "mlp1", 2),
        (mlp((5000 - 1000, 3), 3, 3), "mlp1", 1),
        (mlp((9, 70, 2), 3, 3), "mlp1", 1),
        (tutorial_cnn(), "cnn1", 1),
        (mlp((6, 5, 4, 3), 1, 1), "cnn1", 1),
        (with_requant(-1000, 1000), "mlp1", 1),
        (with_requant(-1000, 1000), "batch-mlp-ckks", 4),
        (rich(), "mlp1", 1),
    ],
)
def test_ckks_is_within_its_stated_error(circuit: Circuit, preset: str, samples: int) -> None:
    calibration = inputs_of(circuit, 16, seed=9) if preset == "cnn1" else None
    plan = fhe.plan(circuit, preset=preset, samples=samples, calibration=calibration)
    inputs = inputs_of(circuit, samples)
    values, _, _ = run(plan, inputs)
    want = expected(circuit, inputs).astype(float)
    if not plan.network.exact:  # the floor of each requantisation is left out: compare with real numbers
        want = _real(plan.network, inputs)
    error = np.abs(values - want).max()
    assert error <= fhe.estimate(plan).error
    assert fhe.estimate(plan).error <= 2e-2 * plan.network.layers[-1].magnitude


def _real(network: fhe.Network, inputs: np.ndarray) -> np.ndarray:
    values = inputs.reshape(len(inputs), -1).astype(float)
    for layer in network.layers:
        values = values * values if layer.after else values
        values = (values @ layer.matrix.T + layer.bias) / 2.0**layer.shift
    return values


def test_a_bias_reaches_every_copy() -> None:
    """Where a bias is added to some copies of a value only, the next layer is off by 2 to 10 percent."""
    b = CircuitBuilder()
    t = b.input("x", (4,), 0, 1)
    t = b.gate(
        "dense", "first", [t], [b.constant("w", np.zeros((4, 3), int)), b.constant("b", np.array([100, -50, 7]))]
    )
    t = b.gate("mul", "square", [t, t])
    b.output(
        "y", b.gate("dense", "last", [t], [b.constant("v", np.eye(3, dtype=int)), b.constant("c", np.zeros(3, int))])
    )
    circuit = b.build()
    values, _, _ = run(fhe.plan(circuit, preset="mlp1"), np.zeros((1, 4), np.int64))
    assert np.abs(values[0] - [10000, 2500, 49]).max() < 0.01


def test_calibration_buys_precision_and_goes_into_the_spec() -> None:
    circuit = tutorial_cnn()
    inputs, typical = inputs_of(circuit, 1), inputs_of(circuit, 32, seed=5)
    plan = fhe.plan(circuit, preset="cnn1", calibration=typical)
    want = expected(circuit, inputs)
    assert np.abs(run(plan, inputs)[0] - want).max() <= min(fhe.estimate(plan).error, 1e-2 * np.abs(want).max())
    assert remake(circuit, plan.spec).interface.digest == plan.interface.digest
    exact = fhe.plan(mlp((20, 8, 3), 15, 7), preset="batch-mlp-exact", calibration=inputs_of(mlp((20, 8, 3), 15, 7), 4))
    assert exact.magnitudes == ()


def test_a_plan_that_is_mostly_error_is_refused() -> None:
    with pytest.raises(fhe.UnsupportedError, match=r"fhe\.plan\.precision"):
        fhe.plan(tutorial_cnn(), preset="cnn1")


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5000), st.integers(1, 700))
def test_blocks_of_coefficients_hold_everything_once(inputs: int, outputs: int) -> None:
    m = block_width(inputs, outputs, 4096)
    assert 1 <= m <= min(inputs, 4096)
    best = -(-inputs // m) + -(-outputs // (4096 // m))
    assert best <= 1 + -(-outputs // (4096 // inputs)) if inputs <= 4096 else best >= 2


def test_coefficients_of_a_product_are_the_dot_products() -> None:
    circuit = linear((50, 300), 3, 3)
    network = fhe.read_network(circuit)
    interface = design(network, fhe.preset_of("lin6-public"), 1)
    weights, bias = polynomials(network.layers[0], interface)
    x = inputs_of(circuit, 1)[0]
    n = interface.preset.n
    out = np.zeros((interface.replies, n), np.int64)
    for block, places in enumerate(interface.gather):
        for at in np.flatnonzero(places >= 0):
            turned = np.roll(weights[:, block], at, axis=1)
            turned[:, :at] *= -1
            out += turned * x[places[at]]
    assert np.array_equal((out + bias).reshape(-1)[interface.scatter], expected(circuit, x[None])[0])


def slots_of(circuit: Circuit, slots: int, x: np.ndarray) -> np.ndarray:
    """The steps in the clear, on plain vectors."""
    network = fhe.read_network(circuit)
    steps, gather = steps_of(network, slots)
    held = [np.where(row >= 0, np.append(x, 0)[row], 0).astype(object) for row in gather]
    value = held[0]
    for i, (step, layer) in enumerate(zip(steps, network.layers, strict=True)):
        sources = held if i == 0 else [value * value]
        total = np.zeros(slots, object)
        for source, diagonals in zip(sources, step.diagonals, strict=True):
            for (giant, baby), weights in diagonals.items():
                total += np.roll(weights.astype(object) * source, -(giant + baby))
        for fold in step.folds:
            total = np.sum([np.roll(total, -r) for r in fold], axis=0)
        value = total + np.append(layer.bias, 0)[step.repeats]
    return value[steps[-1].targets].astype(np.int64)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 70),
    st.lists(st.integers(1, 16), min_size=1, max_size=3),
    st.integers(0, 1000),
    st.sampled_from([64, 256]),
)
def test_diagonals_compute_the_layers(inputs: int, sizes: list[int], seed: int, slots: int) -> None:
    circuit = mlp((inputs, *sizes), 2, 2, seed)
    x = inputs_of(circuit, 1, seed)
    try:
        steps_of(fhe.read_network(circuit), slots)
    except fhe.UnsupportedError:
        assume(False)
    assert np.array_equal(slots_of(circuit, slots, x[0]), expected(circuit, x)[0])


def test_windows_compute_the_convolution() -> None:
    for circuit, slots in ((tutorial_cnn(), 4096), (_convolution(), 256), (_convolution(), 64)):
        x = inputs_of(circuit, 1)
        assert np.array_equal(slots_of(circuit, slots, x[0].reshape(-1)), expected(circuit, x)[0])
    assert len(Slots(4096).windows(fhe.read_network(tutorial_cnn()).layers[0].windows)[1]) == 1  # type: ignore[arg-type]
