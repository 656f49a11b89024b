# SPDX-License-Identifier: AGPL-3.0-or-later
"""Proofs inside affidavits: bound to their request, their evidence, their model, their answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from attestation.simulated import SimulatedEvidence
from verifier import Known, Verdict, verify
from verifier.receipt import ProofClaim
from verifier.tensors import encode_tensors

from .making import AT, NONCE, Making, inputs, small_circuit, trusting

KNOWN = Known(circuit=small_circuit(), inputs=inputs(), nonce=NONCE)
# No recomputation by the verifier: only the proof speaks of the execution.
PROVED = trusting(assurance=("signed", "proved"), max_macs=0)


def decide(making: Making, known: Known = KNOWN, policy=PROVED):
    return verify(making.build(), at=AT, policy=policy, known=known)


HONEST = Making(prove=True)
PROOF = HONEST.attachments()["proof"]


def test_honest():
    result = decide(HONEST)
    assert (result.verdict, result.code) == (Verdict.ACCEPT, "")
    assert result.ledger.reached("proved") and not result.ledger.reached("rechecked")
    assert {gate.assurance for gate in result.ledger.gates} == {"proved"}
    assert result.ledger.weakest.method == "proof@v1" and result.ledger.weakest.bits >= 100
    np.testing.assert_array_equal(result.answer["y"], HONEST.outputs()["y"] * 0.125)


def test_both_recomputed_and_proved():
    result = decide(HONEST, policy=trusting(assurance=("signed", "rechecked", "proved")))
    assert result.verdict is Verdict.ACCEPT


def test_with_evidence():
    statement = SimulatedEvidence().collect(Making().receipt().context)
    making = replace(HONEST, evidence=(("simulated@v1", statement),))
    assert decide(making).verdict is Verdict.ACCEPT
    # the proof of the request without evidence is not the proof of the request with it
    other = replace(making, prove=False, proof=PROOF)
    assert decide(other).verdict is Verdict.REJECT


@pytest.mark.parametrize(
    ("making", "known", "code"),
    [
        (Making(), KNOWN, "policy.proved.not-reached"),
        (replace(HONEST, embed_proof=False), KNOWN, "proof.missing"),
        (
            Making(change={"proof": ProofClaim("proof@v9", "held", bytes(32), 7)}),
            KNOWN,
            "proof.system.unsupported",
        ),
        (
            Making(change={"proof": ProofClaim("proof@v1", "hidden", bytes(32), 7)}),
            KNOWN,
            "proof.system.unsupported",
        ),
    ],
)
def test_proofs_that_do_not_count(making, known, code):
    result = decide(making, known)
    assert (result.verdict, result.code) == (Verdict.UNVERIFIABLE, code)


def test_needs_circuit_and_input():
    policy = replace(PROVED, models=frozenset({small_circuit().digest}), require_input=False)
    lean = replace(HONEST, embed_circuit=False)
    assert decide(lean, Known(nonce=NONCE), policy).code == "proof.circuit.missing"
    lean = replace(HONEST, embed_input=False)
    assert decide(lean, Known(nonce=NONCE), policy).code == "proof.statement.missing"


@pytest.mark.parametrize(
    "making",
    [
        Making(nonce=b"\x44" * 32, proof=PROOF),  # replayed under another nonce
        Making(inputs=inputs(8), proof=PROOF),  # another input
        Making(ran=small_circuit(weight=4), proof=PROOF),  # another model's answer
        Making(circuit=small_circuit(weight=4), proof=PROOF),  # another circuit
        Making(proof=PROOF[:-16] + bytes(16)),
    ],
)
def test_proofs_of_something_else(making):
    known = Known(making.circuit, making.inputs, making.nonce)
    result = decide(making, known)
    assert result.verdict is Verdict.REJECT
    assert result.code.startswith(("proof.", "trace."))
    assert result.answer is None


@pytest.mark.parametrize(
    ("proof", "code"), [(PROOF[:-1], "truncated"), (PROOF + b"\x00", "trailing"), (b"x" * 9, "magic")]
)
def test_malformed_proofs(proof, code):
    result = decide(Making(proof=proof))
    assert (result.verdict, result.code) == (Verdict.MALFORMED, f"proof.wire.{code}")


def test_an_invented_answer_is_refused():
    zeros = {"y": np.zeros((2, 2), np.int64)}
    from verifier.tensors import commit

    making = replace(
        HONEST,
        change={"output": commit(zeros), "proof": HONEST.receipt().proof},
        roles={"output": encode_tensors(zeros)},
        embed_trace=False,
    )
    result = decide(making)
    assert result.verdict is Verdict.REJECT and result.code.startswith("proof.")
