# SPDX-License-Identifier: AGPL-3.0-or-later
"""Affidavits for a verifier without the weights: what it trusts is a circuit digest and a commitment, nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from prover import commit_weights, prove
from verifier import Known, Verdict, verify
from verifier.affidavit import read_affidavit
from verifier.dsse import sign_envelope
from verifier.inspection import inspect_affidavit
from verifier.proof.outline import dump_outline
from verifier.receipt import ProofClaim, proof_context

from .making import AT, NODE, NONCE, Making, inputs, public, small_circuit, trusting

CIRCUIT, OTHER = small_circuit(), small_circuit(weight=4)
DIGEST, ROOT = CIRCUIT.digest, commit_weights(CIRCUIT).root
OTHER_ROOT = commit_weights(OTHER).root
HONEST = Making(prove=True, committed=True, embed_circuit=False)
PROOF = HONEST.attachments()["proof"]

PROVED = trusting(assurance=("signed", "proved"), max_macs=0)
LISTED = replace(PROVED, models=frozenset({DIGEST}), commitments={DIGEST: ROOT})
SENT = Known(inputs=inputs(), nonce=NONCE)
GIVEN = replace(SENT, digest=DIGEST, weights_commitment=ROOT)


def decide(making: Making, known: Known = SENT, policy=LISTED):
    return verify(making.build(), at=AT, policy=policy, known=known)


@pytest.mark.parametrize(
    ("making", "known", "policy"),
    [
        (HONEST, SENT, LISTED),
        (HONEST, GIVEN, PROVED),
        (HONEST, GIVEN, LISTED),
        (HONEST, replace(SENT, weights_commitment=ROOT), replace(LISTED, commitments={})),
        (replace(HONEST, embed_outline=False), replace(GIVEN, circuit=CIRCUIT), PROVED),
        (replace(HONEST, embed_outline=False, embed_circuit=True), SENT, LISTED),
    ],
    ids=["policy", "caller", "both", "caller, one circuit listed", "own circuit", "carried circuit"],
)
def test_accepted(making, known, policy):
    result = decide(making, known, policy)
    assert (result.verdict, result.code) == (Verdict.ACCEPT, "")
    assert result.ledger.reached("proved") and not result.ledger.reached("rechecked")
    assert [gate.name for gate in result.ledger.gates] == [gate.name for gate in CIRCUIT.gates]
    assert {gate.assurance for gate in result.ledger.gates} == {"proved"}
    assert result.ledger.weakest.method == "proof@v1" and result.ledger.weakest.bits >= 100
    line = next(check for check in result.checks if check.id == "proof")
    assert ROOT.hex()[:16] in line.observed
    np.testing.assert_array_equal(result.answer["y"], HONEST.outputs()["y"] * 0.125)


def test_an_outline_is_not_recomputed():
    """The weights of an outline are zeros: nothing may be computed with them."""
    result = decide(HONEST, policy=replace(LISTED, max_macs=1 << 40))
    assert result.verdict is Verdict.ACCEPT and not result.ledger.reached("rechecked")
    recheck = next(check for check in result.checks if check.id == "execution.recheck")
    assert recheck.code == "recheck.circuit.missing"
    demanded = replace(LISTED, max_macs=1 << 40, assurance=("signed", "proved", "rechecked"))
    assert decide(HONEST, policy=demanded).verdict is Verdict.UNVERIFIABLE


@pytest.mark.parametrize(
    ("making", "known", "policy", "code"),
    [
        (HONEST, replace(GIVEN, weights_commitment=None), PROVED, "proof.weights.unknown"),
        (HONEST, SENT, replace(LISTED, commitments={}), "proof.weights.unknown"),
        (HONEST, replace(GIVEN, circuit=CIRCUIT, weights_commitment=None), PROVED, "proof.weights.unknown"),
        # a commitment without saying of which circuit, where two may answer
        (
            HONEST,
            replace(SENT, weights_commitment=ROOT),
            replace(LISTED, models=frozenset({DIGEST, OTHER.digest}), commitments={}),
            "proof.weights.unknown",
        ),
        (replace(HONEST, embed_outline=False), SENT, replace(LISTED, require_input=False), "proof.circuit.missing"),
        (replace(HONEST, embed_proof=False), SENT, LISTED, "proof.missing"),
        # a proof for verifiers that hold the model, and an outline beside it
        (Making(prove=True, embed_circuit=False, roles={"outline": dump_outline(CIRCUIT)}), SENT, LISTED,
         "proof.circuit.missing"),
        (replace(HONEST, embed_input=False), replace(SENT, inputs=None), replace(LISTED, require_input=False),
         "proof.statement.missing"),
    ],
)  # fmt: skip
def test_not_decidable(making, known, policy, code):
    result = decide(making, known, policy)
    assert (result.verdict, result.code) == (Verdict.UNVERIFIABLE, code)
    assert result.answer is None


def claiming(root: bytes, proof: bytes = PROOF) -> Making:
    """The node states another commitment than the one its proof was made with."""
    claim = HONEST.receipt().proof
    assert claim is not None
    return replace(HONEST, proof=proof, change={"proof": replace(claim, weights=root)})


def swapped() -> Making:
    """The weights of the other model under this model's header, proved as the protocol says: shapes are the same."""
    hybrid = replace(CIRCUIT, constants=OTHER.constants)

    class Swapped(Making):
        def made_proof(self, receipt):
            bound = proof_context(receipt.context, receipt.evidence)
            weights = commit_weights.__wrapped__(hybrid)  # kept by header, which is the true model's
            return prove(hybrid, self.encoded(), context=bound, mode="committed", weights=weights).bytes

        def commitment(self):
            return OTHER_ROOT

    return Swapped(prove=True, committed=True, embed_circuit=False, ran=OTHER)


def test_weights_of_another_model():
    """Two models of one shape: each commitment counts for its own circuit alone."""
    both = replace(
        LISTED, models=frozenset({DIGEST, OTHER.digest}), commitments={DIGEST: ROOT, OTHER.digest: OTHER_ROOT}
    )
    result = decide(swapped(), policy=both)
    assert (result.verdict, result.code) == (Verdict.REJECT, "proof.commitment.mismatch")
    # ... although caller and receipt agree on a commitment that is genuine, for the other one
    known = replace(SENT, weights_commitment=OTHER_ROOT)
    assert decide(swapped(), known, both).code == "proof.commitment.mismatch"
    assert decide(swapped(), known, replace(both, commitments={})).code == "proof.weights.unknown"
    # The proof itself holds: what the commitment is a commitment to rests on whoever vouches for it (L-P6).
    assert decide(swapped(), policy=replace(both, commitments={DIGEST: OTHER_ROOT})).verdict is Verdict.ACCEPT


@pytest.mark.parametrize(
    ("making", "known", "policy", "code"),
    [
        (HONEST, SENT, replace(LISTED, commitments={DIGEST: OTHER_ROOT}), "proof.commitment.mismatch"),
        (HONEST, replace(GIVEN, weights_commitment=OTHER_ROOT), PROVED, "proof.commitment.mismatch"),
        (HONEST, replace(GIVEN, weights_commitment=OTHER_ROOT), LISTED, "proof.commitment.mismatch"),
        (claiming(OTHER_ROOT), SENT, LISTED, "proof.commitment.mismatch"),
        (claiming(OTHER_ROOT), replace(GIVEN, weights_commitment=OTHER_ROOT), PROVED, "proof.lookup.round-mismatch"),
        (HONEST, replace(GIVEN, digest=OTHER.digest), PROVED, "model.circuit.mismatch"),
        (HONEST, replace(GIVEN, circuit=CIRCUIT, digest=OTHER.digest), PROVED, "model.circuit.mismatch"),
        (HONEST, SENT, replace(LISTED, models=frozenset({OTHER.digest}), commitments={}), "model.circuit.not-allowed"),
        (replace(HONEST, nonce=b"\x44" * 32, proof=PROOF), replace(SENT, nonce=b"\x44" * 32), LISTED,
         "proof.lookup.round-mismatch"),
        (replace(HONEST, inputs=inputs(8), proof=PROOF), replace(SENT, inputs=inputs(8)), LISTED,
         "proof.lookup.round-mismatch"),
        (replace(HONEST, ran=OTHER, proof=PROOF), SENT, LISTED, "proof.lookup.round-mismatch"),
        (replace(HONEST, roles={"outline": dump_outline(OTHER)}), SENT, LISTED, "proof.outline.digest-mismatch"),
    ],
)  # fmt: skip
def test_rejected(making, known, policy, code):
    result = decide(making, known, policy)
    assert (result.verdict, result.code) == (Verdict.REJECT, code)
    assert result.answer is None


def test_altered_outlines():
    outline = dump_outline(CIRCUIT)
    constant = outline[:-1] + bytes([outline[-1] ^ 1])  # the shift of the requantisation, which is not hidden
    assert decide(replace(HONEST, roles={"outline": constant})).code == "proof.outline.constant-mismatch"
    for broken in (b"AFFOUTL1", outline[:-1], outline + b"\0"):
        result = decide(replace(HONEST, roles={"outline": broken}))
        assert (result.verdict, result.code) == (Verdict.MALFORMED, "proof.outline.grammar")


def test_an_outline_that_nobody_asked_for_is_not_loaded():
    """Loading costs time and memory: only what caller or policy vouch for is loaded."""
    making = replace(HONEST, roles={"outline": b"AFFOUTL1 and then nothing"})
    result = decide(making, SENT, PROVED)
    assert result.verdict is Verdict.UNVERIFIABLE and result.code == "model.circuit.unknown"


@pytest.mark.parametrize("bad", [PROOF[:-1], PROOF + b"\0", b"x" * 9])
def test_malformed_proofs(bad):
    result = decide(replace(HONEST, proof=bad))
    assert result.verdict is Verdict.MALFORMED and result.code.startswith("proof.wire.")


# What becomes of each member of the receipt's section when the node itself, with its own key, signs another value.
LIES = {
    "system": "proof.system.unsupported",
    "mode": "receipt.malformed",
    "digest": "affidavit.blob.unreferenced",
    "size": "proof.missing",
    "weights": "proof.commitment.mismatch",
}


def test_every_member_of_the_section_is_defended():
    statement: dict[str, Any] = json.loads(HONEST.receipt().statement().encode())
    assert set(statement["predicate"]["proof"]) == set(LIES)
    for member, code in LIES.items():
        edited = json.loads(json.dumps(statement))
        old = edited["predicate"]["proof"][member]
        edited["predicate"]["proof"][member] = (
            old + 1
            if isinstance(old, int)
            else ("1" if old[0] == "0" else "0") + old[1:]
            if len(old) == 64
            else "other"
        )
        payload = json.dumps(edited, sort_keys=True, separators=(",", ":")).encode()

        class Lying(Making):
            signed = payload

            def envelope(self):
                return sign_envelope(self.signed, public_key=public(NODE), sign=NODE.sign)

        result = decide(Lying(prove=True, committed=True, embed_circuit=False))
        assert result.code == code and result.verdict is not Verdict.ACCEPT, member


@pytest.mark.parametrize("mode", ["held", "committed"])
def test_a_commitment_stands_in_mode_committed_alone(mode):
    claim = ProofClaim("proof@v1", mode, bytes(32), 7, None if mode == "committed" else ROOT)
    result = decide(Making(change={"proof": claim}))
    assert (result.verdict, result.code) == (Verdict.MALFORMED, "receipt.malformed")


def test_inspection_names_the_commitment():
    claims = inspect_affidavit(read_affidavit(HONEST.build()))
    assert claims["receipt"]["proof"]["weights"] == ROOT.hex()
    assert claims["carries"]["outline"]["bytes"] == len(dump_outline(CIRCUIT))
