# SPDX-License-Identifier: AGPL-3.0-or-later
"""onnxruntime computes what the reference computes: every bit, every tensor, whatever the settings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from circuits import Circuit, CircuitBuilder, evaluate
from circuits.circuit import IntArray
from circuits.gates import RULES
from node.runtime import Optimisation, Runtime
from tests.circuits.strategies import (
    BATCHES,
    SEEDS,
    SKETCHES,
    random_circuit,
    random_inputs,
    single_gate_circuit,
)

LEVELS: tuple[Optimisation, ...] = ("disable", "basic", "extended", "all")


def assert_equal(circuit: Circuit, got: list[IntArray], want: list[IntArray]) -> None:
    for tensor, a, b in zip(circuit.tensors, got, want, strict=True):
        assert a.dtype == np.int64
        assert a.shape == b.shape
        assert np.array_equal(a, b), f"{tensor}: {np.count_nonzero(a != b)} of {a.size} differ"


def assert_exact(circuit: Circuit, inputs: dict[str, IntArray], levels: tuple[Optimisation, ...], threads: int) -> None:
    want = evaluate(circuit, inputs)
    for tensor, array in zip(circuit.tensors, want, strict=True):
        assert array.shape[1:] == tensor.shape
        assert array.min() >= tensor.lo
        assert array.max() <= tensor.hi
    for level in levels:
        runtime = Runtime(circuit, threads=threads, optimisation=level)
        got = runtime.run(inputs)
        for port in circuit.outputs:
            assert np.array_equal(got[port.name], want[port.tensor]), (level, port.name)
        assert_equal(circuit, runtime.trace(inputs), want)


@pytest.mark.parametrize("kind", ["mul", "matmul"])
def test_products_of_products_stay_clear_of_subnormals(kind: str) -> None:
    """Readers that want units of 2^-52 must not let a chain of products underflow."""
    b = CircuitBuilder()
    x = b.input("x", (2, 2), 0, 1)
    value = b.gate("affine", "a", [x], [b.constant("one", 1), b.constant("zero", 0)])
    shift = b.constant("shift", [52])
    for i in range(3):
        b.output(f"r{i}", b.gate("requant", f"r{i}", [value], [shift], lo=-5 - i, hi=5 + i))
    for i in range(4):
        value = b.gate(kind, f"m{i}", [value, value])
    b.output("y", value)
    assert_exact(b.build(), {"x": np.array([[[1, 0], [1, 1]]])}, LEVELS, 1)


def test_every_gate_has_a_sketch() -> None:
    assert set(SKETCHES) == set(RULES)


@pytest.mark.parametrize("kind", sorted(RULES))
@settings(max_examples=12, deadline=None)
@given(seed=SEEDS, batch=BATCHES)
def test_single_gates(kind: str, seed: int, batch: int) -> None:
    circuit = single_gate_circuit(seed, kind)
    assert_exact(circuit, random_inputs(circuit, seed, batch), ("disable", "all"), threads=1)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, batch=BATCHES)
def test_random_circuits(seed: int, batch: int) -> None:
    circuit = random_circuit(seed)
    assert_exact(circuit, random_inputs(circuit, seed, batch), LEVELS, threads=1 + seed % 2)
