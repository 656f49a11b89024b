# SPDX-License-Identifier: AGPL-3.0-or-later
"""Proofs for a verifier that never sees the weights."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from circuits import Circuit, CircuitBuilder, evaluate
from circuits.circuit import Constant
from prover import commit_weights, prove, proving
from tests.circuits.strategies import single_gate_circuit
from tests.proof.models import CONTEXT, arguments, convolutional, mixed, sample
from verifier.errors import RejectedError
from verifier.proof import verify_proof
from verifier.proof.statement import prepare


def without_weights(circuit: Circuit) -> Circuit:
    """The same header, weights and biases of conv and dense set to zero."""
    hidden = {i for g in circuit.gates if g.kind in ("conv", "dense") for i in g.constants}
    constants = tuple(
        Constant(c.name, np.zeros_like(c.data)) if i in hidden else c for i, c in enumerate(circuit.constants)
    )
    return dataclasses.replace(circuit, constants=constants)


def with_other_weight(circuit: Circuit) -> Circuit:
    """One weight of the first constant changed."""
    b = CircuitBuilder()
    for p in circuit.inputs:
        t = circuit.tensors[p.tensor]
        b.input(p.name, t.shape, t.lo, t.hi)
    for i, c in enumerate(circuit.constants):
        data = c.data.astype(np.int64).copy()
        if i == 0:
            data.reshape(-1)[0] ^= 1
        b.constant(c.name, data)
    for g in circuit.gates:
        b.gate(g.kind, g.name, g.inputs, g.constants, **g.attributes)
    for p in circuit.outputs:
        b.output(p.name, p.tensor)
    return b.build()


def check(circuit, inputs):
    proof = prove(circuit, inputs, context=CONTEXT, mode="committed")
    told = arguments(without_weights(circuit), inputs, proof.outputs, commit_weights(circuit).root)
    finding = verify_proof(proof.bytes, **told)
    assert finding.mode == "committed"
    assert finding.bits == proof.soundness_bits >= 100
    return proof


@pytest.mark.parametrize("make", [convolutional, mixed])
def test_models(make):
    circuit = make()
    check(circuit, sample(circuit, 2))


@pytest.mark.parametrize("kind", ["conv", "dense"])
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 1 << 20), st.integers(1, 3))
def test_layers(kind, seed, batch):
    circuit = single_gate_circuit(seed, kind)
    check(circuit, sample(circuit, batch, seed))


def rejected(proof, circuit, inputs, root):
    with pytest.raises(RejectedError) as caught:
        verify_proof(proof.bytes, **arguments(circuit, inputs, proof.outputs, root))
    return caught.value.code


def test_other_commitment():
    circuit = convolutional()
    inputs = sample(circuit)
    proof = prove(circuit, inputs, context=CONTEXT, mode="committed")
    other = commit_weights(with_other_weight(circuit)).root
    assert other != commit_weights(circuit).root
    assert rejected(proof, circuit, inputs, other) == "proof.lookup.round-mismatch"


def test_execution_with_other_weights():
    """The execution used one other weight; the layer argument used the committed ones."""
    circuit = convolutional()
    inputs = sample(circuit)
    tensors = evaluate(with_other_weight(circuit), inputs)
    proof = prove(circuit, inputs, context=CONTEXT, mode="committed", tensors=tensors)
    assert rejected(proof, circuit, inputs, commit_weights(circuit).root) == "proof.layer.round-mismatch"


def test_layers_with_other_weights(monkeypatch):
    """Execution and layer arguments agree on one other weight; only the commitment differs."""
    circuit = convolutional()
    other = with_other_weight(circuit)
    inputs = sample(circuit)
    honest, liar = prepare(circuit, 1, "committed"), prepare(other, 1, "committed")
    plan = copy.copy(honest.plan)
    plan.sites = liar.plan.sites
    monkeypatch.setattr(proving, "prepare", lambda *_: dataclasses.replace(honest, plan=plan, matrices=liar.matrices))
    proof = prove(circuit, inputs, context=CONTEXT, mode="committed", tensors=evaluate(other, inputs))
    assert rejected(proof, circuit, inputs, commit_weights(circuit).root) == "proof.weights.mismatch"


def test_modes_are_bound():
    circuit = convolutional()
    inputs = sample(circuit)
    held = prove(circuit, inputs, context=CONTEXT)
    assert rejected(held, circuit, inputs, commit_weights(circuit).root) == "proof.lookup.round-mismatch"
