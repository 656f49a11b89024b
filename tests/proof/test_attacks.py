# SPDX-License-Identifier: AGPL-3.0-or-later
"""Provers that follow the protocol with a wrong witness, at every kind of layer, and proofs used for something else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from circuits import CircuitBuilder, evaluate
from circuits.derivation import site_of
from circuits.gates import rule_of
from prover import prove, proving
from tests.circuits.strategies import random_circuit
from tests.proof.models import CONTEXT, arguments, convolutional, mixed, root_of, sample
from tests.proof.wrong_witness import Cheat
from verifier.errors import MalformedError, RejectedError, UnsupportedError
from verifier.proof import verify_proof
from verifier.proof.statement import prepare

LOOKUP, CLAIMS = "proof.lookup.sum", "proof.claims.mismatch"


def cheat(monkeypatch, circuit, inputs, alter, tensors=None, outputs=None):
    """The code with which the proof of a cheating prover is rejected."""
    monkeypatch.setattr(proving, "Witness", type("Altered", (Cheat,), {"alter": staticmethod(alter)}))
    proof = prove(circuit, inputs, context=CONTEXT, tensors=tensors or evaluate(circuit, inputs))
    claimed = proof.outputs if outputs is None else outputs
    with pytest.raises(RejectedError) as caught:
        verify_proof(proof.bytes, circuit=circuit, inputs=inputs, outputs=claimed, context=CONTEXT)
    return caught.value.code


def nothing(witness, counted):
    """An honest witness of what may be a wrong execution."""


def changed(name, delta=1):
    """Alter the first entry of the column of that name."""

    def alter(witness, counted):
        index = next(i for i, c in enumerate(witness.plan.columns) if c.name == name)
        if counted != (index in witness.plan.multiplicities):
            return
        array = np.array(witness.columns[index], order="C")
        array.reshape(-1)[0] += delta
        witness.columns[index] = array

    return alter


@pytest.mark.parametrize("make", [convolutional, mixed])
def test_every_committed_column(make, monkeypatch):
    circuit = make()
    inputs = sample(circuit)
    columns = prepare(circuit, 1).plan.columns
    for column in columns:
        code = cheat(monkeypatch, circuit, inputs, changed(column.name))
        # Inputs are bound by the public claim alone where only linear gates or products read them at once.
        assert code in {LOOKUP, CLAIMS}, column.name


def test_harness_is_honest_without_changes(monkeypatch):
    for circuit in (convolutional(), mixed()):
        inputs = sample(circuit)
        monkeypatch.setattr(proving, "Witness", type("Same", (Cheat,), {"alter": staticmethod(nothing)}))
        proof = prove(circuit, inputs, context=CONTEXT)
        verify_proof(proof.bytes, circuit=circuit, inputs=inputs, outputs=proof.outputs, context=CONTEXT)


@pytest.mark.parametrize("make", [convolutional, mixed])
def test_wrong_execution_from_each_gate_on(make, monkeypatch):
    """One value of one gate's output is wrong, and everything after it is computed correctly from it."""
    circuit = make()
    inputs = sample(circuit)
    for number in range(len(circuit.gates)):
        arrays = [inputs[p.name] for p in circuit.inputs]
        for i, gate in enumerate(circuit.gates):
            site = site_of(gate, circuit.tensors, circuit.constants)
            out = rule_of(gate.kind).evaluate(site, [arrays[j] for j in gate.inputs])
            if i == number:
                out, tensor = out.copy(), circuit.tensors[gate.output]
                out.reshape(-1)[0] += 1 if out.reshape(-1)[0] < tensor.hi else -1
            arrays.append(out)
        code = cheat(monkeypatch, circuit, inputs, nothing, tensors=arrays)
        assert code in {LOOKUP, CLAIMS}, circuit.gates[number].name


def test_wrong_output(monkeypatch):
    circuit = convolutional()
    inputs = sample(circuit)
    outputs = prove(circuit, inputs, context=CONTEXT).outputs
    wrong = {"y": outputs["y"] + np.array([[1, 0, 0, 0]])}
    tensors = evaluate(circuit, inputs)
    tensors[-1] = wrong["y"]  # the prover absorbs and claims the wrong output
    assert cheat(monkeypatch, circuit, inputs, nothing, tensors=tensors) == CLAIMS


def test_wrong_weight():
    """A proof for the circuit with one weight changed."""
    circuit = convolutional(0)
    b = CircuitBuilder()
    constants = [c.data.astype(np.int64) for c in circuit.constants]
    constants[0] = constants[0].copy()
    constants[0].reshape(-1)[0] ^= 1
    b.input("x", (1, 8, 8), 0, 255)
    for c, data in zip(circuit.constants, constants, strict=True):
        b.constant(c.name, data)
    for g in circuit.gates:
        b.gate(g.kind, g.name, g.inputs, g.constants, **g.attributes)
    b.output("y", circuit.outputs[0].tensor)
    other = b.build()
    inputs = sample(circuit)
    proof = prove(other, inputs, context=CONTEXT)
    verify_proof(proof.bytes, circuit=other, inputs=inputs, outputs=proof.outputs, context=CONTEXT)
    with pytest.raises(RejectedError):
        verify_proof(proof.bytes, circuit=circuit, inputs=inputs, outputs=proof.outputs, context=CONTEXT)


def test_replay():
    circuit = convolutional()
    inputs = sample(circuit)
    proof = prove(circuit, inputs, context=CONTEXT)
    good: dict[str, Any] = {"circuit": circuit, "inputs": inputs, "outputs": proof.outputs, "context": CONTEXT}
    verify_proof(proof.bytes, **good)
    other_input = {"x": inputs["x"].copy()}
    other_input["x"][0, 0, 0, 0] ^= 1
    bad: list[dict[str, Any]] = [
        {"context": bytes(32)},
        {"inputs": other_input},
        {"outputs": {"y": proof.outputs["y"] + 1}},
        {"circuit": convolutional(1)},
    ]
    for change in bad:
        with pytest.raises(RejectedError) as caught:
            verify_proof(proof.bytes, **{**good, **change})
        assert caught.value.code == "proof.lookup.round-mismatch"


def test_statement_is_checked():
    circuit = convolutional()
    inputs = sample(circuit)
    proof = prove(circuit, inputs, context=CONTEXT)
    good: dict[str, Any] = {"circuit": circuit, "inputs": inputs, "outputs": proof.outputs, "context": CONTEXT}
    bad: list[tuple[dict[str, Any], str]] = [
        ({"context": b"short"}, "proof.statement.context"),
        ({"inputs": {}}, "proof.statement.names"),
        ({"inputs": {"x": inputs["x"].astype(np.int32)}}, "proof.statement.shape"),
        ({"inputs": {"x": inputs["x"][:, :, :4]}}, "proof.statement.shape"),
        ({"inputs": {"x": inputs["x"] + 1000}}, "proof.statement.bounds"),
        ({"inputs": {"x": np.concatenate([inputs["x"]] * 2)}}, "proof.statement.batch"),
        ({"outputs": {"y": proof.outputs["y"], "z": proof.outputs["y"]}}, "proof.statement.names"),
    ]
    for change, code in bad:
        with pytest.raises(MalformedError) as caught:
            verify_proof(proof.bytes, **{**good, **change})
        assert caught.value.code == code
    with pytest.raises(RejectedError) as rejected:  # congruent modulo p to nothing that a circuit can output
        verify_proof(proof.bytes, **{**good, "outputs": {"y": proof.outputs["y"] + (1 << 60)}})
    assert rejected.value.code == "proof.statement.bounds"


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 1 << 30), st.sampled_from(["held", "committed"]))
def test_random_cheats(seed, mode):
    """Random circuits: a wrong value of some gate on the way, or a wrong entry of some column."""
    rng = np.random.default_rng(seed)
    circuit = random_circuit(seed, gates=4)
    inputs = sample(circuit, int(rng.integers(1, 3)), seed)
    truth = evaluate(circuit, inputs)
    root = root_of(circuit, mode)
    number = int(rng.integers(len(circuit.gates)))
    wrong = [inputs[p.name] for p in circuit.inputs]
    for i, gate in enumerate(circuit.gates):
        site = site_of(gate, circuit.tensors, circuit.constants)
        out = np.array(rule_of(gate.kind).evaluate(site, [wrong[j] for j in gate.inputs]), order="C")
        if i == number:
            tensor = circuit.tensors[gate.output]
            out.reshape(-1)[rng.integers(out.size)] = rng.integers(tensor.lo, tensor.hi + 1)
        wrong.append(out)
    differs = any(not np.array_equal(wrong[p.tensor], truth[p.tensor]) for p in circuit.outputs)

    def accepted(tensors, alter):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(proving, "Witness", type("Altered", (Cheat,), {"alter": staticmethod(alter)}))
            proof = prove(circuit, inputs, context=CONTEXT, tensors=tensors, mode=mode)
        try:
            verify_proof(proof.bytes, **arguments(circuit, inputs, proof.outputs, root))
        except RejectedError:
            return False
        return True

    try:
        plan = prepare(circuit, len(truth[0]), mode).plan
    except UnsupportedError:
        return
    if differs:
        assert not accepted(wrong, nothing)
    column = int(rng.integers(len(plan.columns)))

    def alter(witness, counted):
        if counted == (column in plan.multiplicities):
            array = np.array(witness.columns[column], order="C")
            array.reshape(-1)[rng.integers(array.size)] += rng.choice([1, -1, 2, 256, -5])
            witness.columns[column] = array

    if ".selector" not in plan.columns[column].name.replace(" ", "."):  # of no meaning where a tap reads padding
        assert not accepted(truth, alter)


def test_a_zero_denominator_is_a_pole() -> None:
    """All-zero fractions add up to zero, which is why denominators may not vanish."""
    from verifier.proof.lookup import check_fractions
    from verifier.proof.transcript import Transcript
    from verifier.proof.wire import MAGIC, Reader

    with pytest.raises(RejectedError) as error:
        check_fractions(Reader(MAGIC + bytes(64)), Transcript(), 1)
    assert error.value.code == "proof.lookup.pole"
