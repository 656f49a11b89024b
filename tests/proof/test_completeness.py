# SPDX-License-Identifier: AGPL-3.0-or-later
"""Honest proofs are accepted: random circuits, every gate, batches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from circuits import evaluate
from prover import prove
from tests.circuits.strategies import SKETCHES, random_circuit, single_gate_circuit
from tests.proof.models import CONTEXT, convolutional, mixed, sample
from verifier.errors import UnsupportedError
from verifier.proof import verify_proof

FEW = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


def check(circuit, inputs):
    proof = prove(circuit, inputs, context=CONTEXT)
    tensors = evaluate(circuit, inputs)
    for port in circuit.outputs:
        assert np.array_equal(proof.outputs[port.name], tensors[port.tensor])
    finding = verify_proof(proof.bytes, circuit=circuit, inputs=inputs, outputs=proof.outputs, context=CONTEXT)
    assert finding.bits >= 100
    assert finding.bits == proof.soundness_bits
    assert finding.gates == tuple(g.name for g in circuit.gates)
    assert finding.size == len(proof.bytes)
    return proof


@pytest.mark.parametrize("batch", [1, 2, 5])
@pytest.mark.parametrize("make", [convolutional, mixed])
def test_models(make, batch):
    circuit = make()
    check(circuit, sample(circuit, batch, seed=batch))


@pytest.mark.parametrize("kind", sorted(SKETCHES))
@FEW
@given(st.integers(0, 1 << 20), st.integers(1, 3))
def test_single_gates(kind, seed, batch):
    circuit = single_gate_circuit(seed, kind)
    try:
        check(circuit, sample(circuit, batch, seed))
    except UnsupportedError as error:  # shifts that spread too far for one equation over the integers
        assert error.code == "proof.gate.unsupported"  # noqa: PT017


@FEW
@given(st.integers(0, 1 << 20))
def test_random_circuits(seed):
    circuit = random_circuit(seed, gates=6)
    try:
        check(circuit, sample(circuit, 1 + seed % 2, seed))
    except UnsupportedError as error:
        assert error.code == "proof.gate.unsupported"  # noqa: PT017


def test_a_proof_is_a_function_of_its_statement():
    circuit = convolutional()
    inputs = sample(circuit)
    first, second = (prove(circuit, inputs, context=CONTEXT).bytes for _ in range(2))
    assert first == second


def test_unsupported_gate_is_named():
    from circuits import CircuitBuilder

    b = CircuitBuilder()
    x = b.input("x", (2,), -(1 << 50), 1 << 50)
    b.output("y", b.gate("requant", "far", [x], [b.constant("s", np.array([0, 40]))], lo=-5, hi=5))
    circuit = b.build()
    with pytest.raises(UnsupportedError) as caught:
        prove(circuit, sample(circuit), context=CONTEXT)
    assert caught.value.code == "proof.gate.unsupported"
    assert "'far'" in caught.value.message
