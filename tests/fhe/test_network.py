# SPDX-License-Identifier: AGPL-3.0-or-later
"""Circuits as affine layers and squares: exact, or refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fhe
from circuits import Circuit, CircuitBuilder
from circuits.circuit import IntArray
from circuits.gates import RULES
from fhe.planning import remake
from tests.fhe.making import expected, inputs_of, mlp, rich, tutorial_cnn, with_requant


def plain(network: fhe.Network, inputs: IntArray) -> IntArray:
    """The layers in long integers: [samples, outputs], times 2^shift of each."""
    values = inputs.reshape(len(inputs), -1).astype(object)
    for layer in network.layers:
        if layer.after == "square":
            values = values * values
        elif layer.after == "both":
            values = np.concatenate([values, values * values], axis=1)
        values = values @ layer.matrix.T.astype(object) + layer.bias.astype(object)
        assert layer.shift == 0
    return values


@pytest.mark.parametrize("make", [rich, tutorial_cnn, lambda: mlp((20, 8, 3), 15, 7)])
def test_folding_is_exact(make: Callable[[], Circuit]) -> None:
    circuit = make()
    network = fhe.read_network(circuit)
    inputs = inputs_of(circuit, 3)
    assert np.array_equal(plain(network, inputs).astype(np.int64), expected(circuit, inputs))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.integers(1, 6), min_size=2, max_size=4))
def test_folding_random_networks_is_exact(seed: int, sizes: list[int]) -> None:
    circuit = mlp(tuple(sizes), 3, 2, seed)
    inputs = inputs_of(circuit, 4, seed)
    assert np.array_equal(plain(fhe.read_network(circuit), inputs).astype(np.int64), expected(circuit, inputs))


def test_a_polynomial_of_degree_two_reads_the_value_and_its_square() -> None:
    b = CircuitBuilder()
    x = b.input("x", (3,), -4, 4)
    s = b.gate("mul", "square", [x, x])
    m = [b.constant(f"m{i}", np.array(v)) for i, v in enumerate((3, 2, -1))]
    b.output("y", b.gate("affine", "poly", [x, s], m))
    circuit = b.build()
    network = fhe.read_network(circuit)
    assert [layer.after for layer in network.layers] == [None, "both"]
    inputs = inputs_of(circuit, 5)
    assert np.array_equal(plain(network, inputs).astype(np.int64), expected(circuit, inputs))


def test_a_part_of_a_circuit() -> None:
    circuit = mlp((20, 8, 3), 15, 7)
    prefix = fhe.read_network(circuit, stop=1)
    assert [layer.matrix.shape for layer in prefix.layers] == [(8, 20)]
    suffix = fhe.read_network(circuit, start=2)
    assert [layer.matrix.shape for layer in suffix.layers] == [(3, 8)]
    for start, stop in ((0, 0), (2, 1), (0, 99)):
        with pytest.raises(fhe.UnsupportedError, match=r"fhe\.network\.ports"):
            fhe.read_network(circuit, start=start, stop=stop)


def test_every_gate_kind_is_accounted_for() -> None:
    assert set(fhe.SUPPORT) == set(RULES)


def test_a_shift_without_a_binding_clamp_is_a_factor() -> None:
    network = fhe.read_network(with_requant(-1000, 1000))
    assert [layer.shift for layer in network.layers] == [2, 0] and not network.exact
    with pytest.raises(fhe.UnsupportedError, match=r"fhe\.plan\.inexact"):
        fhe.plan(with_requant(-1000, 1000), preset="batch-mlp-exact", samples=4)


def _two_inputs() -> Circuit:
    b = CircuitBuilder()
    x, y = b.input("x", (2,), 0, 3), b.input("y", (2,), 0, 3)
    m = [b.constant(f"m{i}", np.array(1)) for i in range(3)]
    b.output("z", b.gate("affine", "sum", [x, y], m))
    return b.build()


def _pool() -> Circuit:
    b = CircuitBuilder()
    x = b.input("x", (1, 4, 4), 0, 3)
    b.output("z", b.gate("max_pool", "pool", [x], kernel=[2, 2], strides=[2, 2]))
    return b.build()


def _product() -> Circuit:
    b = CircuitBuilder()
    x = b.input("x", (2,), 0, 3)
    m = [b.constant("m", np.array(2)), b.constant("c", np.array(1))]
    y = b.gate("affine", "twice", [x], m)
    b.output("z", b.gate("mul", "product", [x, y]))
    return b.build()


def _skip() -> Circuit:
    b = CircuitBuilder()
    x = b.input("x", (2,), 0, 3)
    m = [b.constant(f"m{i}", np.array(2)) for i in range(2)]
    y = b.gate("affine", "twice", [x], m)
    z = b.gate("mul", "square", [y, y])
    n = [b.constant(f"n{i}", np.array(1)) for i in range(3)]
    b.output("z", b.gate("affine", "residual", [x, z], n))
    return b.build()


def _large() -> Circuit:
    b = CircuitBuilder()
    x = b.input("x", (5000,), 0, 3)
    b.output("z", b.gate("reduce_sum", "sum", [x], axes=[0]))
    return b.build()


def _deep() -> Circuit:
    b = CircuitBuilder()
    t = b.input("x", (1,), 0, 1)
    for i in range(17):
        t = b.gate("mul", f"square.{i}", [t, t])
    b.output("z", t)
    return b.build()


def _constant() -> Circuit:
    b = CircuitBuilder()
    x = b.input("x", (2,), 3, 3)
    b.output("z", b.gate("reduce_sum", "sum", [x], axes=[0]))
    return b.build()


@pytest.mark.parametrize(
    ("make", "code", "word"),
    [
        (_two_inputs, "fhe.network.ports", "2 inputs"),
        (_constant, "fhe.network.ports", "constant"),
        (_pool, "fhe.network.gate", "pool"),
        (_product, "fhe.network.gate", "product"),
        (lambda: with_requant(0, 1000), "fhe.network.gate", "clamp"),
        (_skip, "fhe.network.shape", "'x'"),
        (_large, "fhe.network.too-large", "5000"),
        (_deep, "fhe.network.too-large", "16 layers"),
    ],
)
def test_what_does_not_run_encrypted_is_refused_by_name(make: Callable[[], Circuit], code: str, word: str) -> None:
    with pytest.raises(fhe.UnsupportedError) as refused:
        fhe.read_network(make())
    assert refused.value.code == code and word in refused.value.message


@pytest.mark.parametrize(
    ("sizes", "hi", "most", "preset", "samples", "code"),
    [
        ((784, 64), 255, 127, "lin6-public", 1, "fhe.plan.range"),
        ((50, 8, 2), 255, 127, "batch-mlp-exact", 8, "fhe.plan.range"),
        ((20, 8, 3), 15, 7, "lin8", 1, "fhe.plan.packing"),
        ((20, 8, 3), 15, 7, "batch-lin", 8, "fhe.plan.depth"),
        ((20, 8), 15, 7, "batch-lin", 5000, "fhe.plan.packing"),
        ((4, 4, 4, 4), 1, 1, "mlp1", 1, "fhe.plan.depth"),
        ((30, 8, 1), 15, 15, "card-8192", 8, "fhe.plan.range"),
    ],
)
def test_a_preset_that_does_not_fit_says_why(
    sizes: tuple[int, ...], hi: int, most: int, preset: str, samples: int, code: str
) -> None:
    with pytest.raises(fhe.UnsupportedError) as refused:
        fhe.plan(mlp(sizes, hi, most), preset=preset, samples=samples)
    assert refused.value.code == code


def test_the_planner_picks_by_shape() -> None:
    assert fhe.plan(mlp((784, 64), 255, 127)).packing == "coefficient"
    assert fhe.plan(mlp((784, 64, 10), 15, 7)).packing == "diagonals"
    assert fhe.plan(mlp((784, 64, 10), 15, 7), samples=2048).packing == "columns"
    assert fhe.plan(tutorial_cnn(), calibration=inputs_of(tutorial_cnn(), 4)).preset.name == "cnn1"
    with pytest.raises(fhe.UnsupportedError, match=r"fhe\.plan\.none"):
        fhe.plan(mlp((2, 2, 2, 2, 2), 1, 1))


def test_plans_come_back_from_their_specs() -> None:
    plan = fhe.plan(mlp((20, 8, 3), 15, 7), samples=64, preset="batch-mlp-ckks", stop=1)
    assert remake(plan.circuit, plan.spec).interface.digest == plan.interface.digest
    for wrong in ({}, plan.spec | {"samples": "1"}, plan.spec | {"more": 1}, plan.spec | {"samples": True}):
        with pytest.raises(fhe.MalformedError, match=r"fhe\.plan\.spec"):
            remake(plan.circuit, wrong)
    for samples in (0, -1, 1 << 40):
        with pytest.raises(fhe.UnsupportedError, match=r"fhe\.plan\.packing"):
            fhe.plan(mlp((20, 8), 15, 7), preset="lin8", samples=samples)


def test_noise_that_might_not_fit_is_refused() -> None:
    with pytest.raises(fhe.UnsupportedError, match=r"fhe\.plan\.noise"):
        fhe.plan(mlp((2000, 2), 15, 2000), preset="batch-lin", samples=4)


def test_estimates_are_told_before_anything_is_sent() -> None:
    plan = fhe.plan(mlp((784, 64, 10), 15, 7), preset="mlp1")
    told = fhe.estimate(plan)
    assert told.depth == 3 and [layer.level for layer in told.layers] == [3, 1]
    assert told.bytes_sent == plan.preset.ciphertext_bytes() and told.key_bytes > told.galois_bytes > 0
    assert told.cpu_ms > 0 and told.error > 0
    exact = fhe.estimate(fhe.plan(mlp((784, 64), 255, 127)))
    assert exact.error == 0 and exact.layers[0].budget_bits is not None and exact.layers[0].budget_bits > 0
