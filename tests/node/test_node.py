# SPDX-License-Identifier: AGPL-3.0-or-later
"""From request to affidavit in one process: what the node writes, the verifier accepts."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from attestation.errors import OperationalError as EvidenceFault
from attestation.simulated import SimulatedEvidence
from circuits import dump_circuit, encode_inputs, evaluate
from node import EncodedInput, ListedInput, Node, NodeError, RealInput, Request, SealedInputBox
from node.inference import Inference
from node.sealed import seal_input
from node.stages.admit import Admitted
from tests.node.making import AT, inputs, integer_circuit, small_circuit, snapshot, trusting
from verifier import Known, Opening, Verdict, read_affidavit, verify

CIRCUIT = small_circuit()


@pytest.fixture
def node(tmp_path: Path) -> Node:
    node = Node(tmp_path, SimulatedEvidence(), threads=1, clock=lambda: AT)
    node.models.put(dump_circuit(CIRCUIT), name="small")
    node.models.put(dump_circuit(integer_circuit()), name="integers")
    return node


def request(**changes) -> Request:
    fields = {"model": CIRCUIT.digest, "nonce": secrets.token_bytes(32), "payload": RealInput(inputs())}
    return Request(**{**fields, **changes})


FORMS: dict[str, Callable[[], RealInput | ListedInput | EncodedInput]] = {
    "real": lambda: RealInput(inputs()),
    "listed": lambda: ListedInput({"x": inputs()["x"].tolist()}),
    "encoded": lambda: EncodedInput(Opening(encode_inputs(CIRCUIT, inputs()))),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_clear_form_gives_an_accepted_affidavit(node: Node, form: str) -> None:
    asked = request(payload=FORMS[form]())
    answered = node.run(asked)
    known = Known(CIRCUIT, inputs(), asked.nonce)
    result = verify(answered.affidavit, at=AT, policy=trusting(node.keys.signing), known=known)
    assert (result.verdict, result.code) == (Verdict.ACCEPT, "")
    expected = evaluate(CIRCUIT, encode_inputs(CIRCUIT, inputs()))[-1] * 0.125
    assert result.answer is not None
    np.testing.assert_array_equal(result.answer["y"], expected)
    np.testing.assert_array_equal(answered.output.tensors["y"] * 0.125, expected)
    assert answered.sealed is None


def test_simulated_evidence_counts_only_where_the_policy_says_unsafe(node: Node) -> None:
    asked = request()
    affidavit = node.run(asked).affidavit
    known = Known(CIRCUIT, inputs(), asked.nonce)
    lax = replace(trusting(assurance=("signed", "attested")), unsafe_accept_simulated=True)
    assert verify(affidavit, at=AT, policy=lax, known=known).verdict is Verdict.ACCEPT
    strict = replace(lax, unsafe_accept_simulated=False, evidence=("tpm2-quote@v1",))
    assert verify(affidavit, at=AT, policy=strict, known=known).verdict is Verdict.UNVERIFIABLE


@pytest.mark.parametrize("embed_circuit", [False, True])
@pytest.mark.parametrize("embed_input", [False, True])
def test_roles_are_what_was_asked_for(node: Node, embed_circuit: bool, embed_input: bool) -> None:
    asked = request(embed_circuit=embed_circuit, embed_input=embed_input)
    parsed = read_affidavit(node.run(asked).affidavit)
    wanted = {"trace", "output"} | ({"circuit"} if embed_circuit else set()) | ({"input"} if embed_input else set())
    assert set(parsed.roles) == wanted
    if embed_circuit:
        assert parsed.blob("circuit") == dump_circuit(CIRCUIT)
    if embed_circuit and embed_input:
        policy = replace(trusting(node.keys.signing), models=frozenset([CIRCUIT.digest]), require_input=False)
        result = verify(node.run(asked).affidavit, at=AT, policy=policy, known=Known(nonce=asked.nonce))
        assert result.verdict is Verdict.ACCEPT, "a self-contained affidavit needs the nonce alone"


def test_the_receipt_says_what_happened(node: Node) -> None:
    asked = request(policy=b"\x09" * 32)
    receipt = node.run(asked, received_at=AT - timedelta(seconds=3)).receipt
    assert (receipt.nonce, receipt.policy) == (asked.nonce, asked.policy)
    assert (receipt.received_at, receipt.completed_at) == ("2026-11-21T11:59:57Z", "2026-11-21T12:00:00Z")
    assert receipt.model.name == "small" and receipt.batch == 2 and not receipt.salted
    assert receipt.rebuilt_context().digest == receipt.context
    assert receipt.execution["runtime"] == "onnxruntime" and receipt.execution["device"] == "cpu"
    assert set(receipt.meta) == {f"us_{s}" for s in ("admit", "unseal", "load", "attest", "run", "commit", "prove")}
    assert receipt.proof is None


def test_a_proof_where_it_is_asked_for(node: Node) -> None:
    asked = request(prove=True)
    answered = node.run(asked)
    policy = replace(trusting(node.keys.signing), assurance=("signed", "proved"), max_macs=0)
    known = Known(CIRCUIT, inputs(), asked.nonce)
    result = verify(answered.affidavit, at=AT, policy=policy, known=known)
    assert (result.verdict, result.code) == (Verdict.ACCEPT, "")
    assert result.ledger.reached("proved") and not result.ledger.reached("rechecked")
    other = verify(node.run(request()).affidavit, at=AT, policy=policy, known=replace(known, nonce=asked.nonce))
    assert other.code == "request.nonce.mismatch"


def test_a_proof_larger_than_the_node_gives_is_refused(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.limits.MAX_PROOF_SIZE", 10)
    with pytest.raises(NodeError) as refused:
        node.run(request(prove=True))
    assert refused.value.code == "request.prove.too-large"
    assert node.run(request()).receipt.proof is None


def test_a_clock_set_back_never_contradicts_the_receipt(node: Node) -> None:
    receipt = node.run(request(), received_at=AT + timedelta(hours=1)).receipt
    assert receipt.completed_at == receipt.received_at


def test_sealed_end_to_end(node: Node) -> None:
    nonce = secrets.token_bytes(32)
    sealed = seal_input(node.keys.sealing, nonce, CIRCUIT.digest, encode_inputs(CIRCUIT, inputs()))
    answered = node.run(request(nonce=nonce, payload=SealedInputBox(sealed.box)))
    assert answered.sealed is not None
    output = sealed.reply.open_answer(answered.sealed, nonce)
    parsed = read_affidavit(answered.affidavit)
    assert set(parsed.roles) == {"trace"} and parsed.receipt.salted
    known = Known(CIRCUIT, inputs(), nonce, (sealed.opening, output))
    policy = trusting(node.keys.signing)
    assert verify(answered.affidavit, at=AT, policy=policy, known=known).verdict is Verdict.ACCEPT
    without = replace(known, openings=(sealed.opening,))
    assert verify(answered.affidavit, at=AT, policy=policy, known=without).code == "answer.output.missing"
    for piece in (sealed.opening.encode(), output.encode(), sealed.opening.salt):
        assert piece not in answered.affidavit
    # Nothing of the content either: the elements as they stand in the openings.
    assert sealed.opening.encode()[-8:] not in answered.affidavit


def test_evidence_covers_the_context(node: Node) -> None:
    answered = node.run(request())
    parsed = read_affidavit(answered.affidavit)
    (claim,) = parsed.receipt.evidence
    assert claim.type == "simulated@v1"
    assert parsed.receipt.context.hex().encode() in parsed.blobs[claim.members["statement"]]


class Broken(SimulatedEvidence):
    """A source that fails when it is asked."""

    def collect(self, challenge: bytes) -> dict[str, bytes]:
        raise EvidenceFault("evidence.tpm2.device-failed", "the TPM does not answer")


def test_no_evidence_no_answer(tmp_path: Path) -> None:
    node = Node(tmp_path, Broken(), clock=lambda: AT)
    node.models.put(dump_circuit(CIRCUIT))
    before = snapshot(tmp_path)
    with pytest.raises(NodeError) as caught:
        node.run(request())
    assert caught.value.code == "evidence.tpm2.device-failed"
    assert snapshot(tmp_path) == before


def test_a_node_without_a_source_says_so(tmp_path: Path) -> None:
    node = Node(tmp_path, clock=lambda: AT)
    node.models.put(dump_circuit(CIRCUIT))
    assert node.run(request()).receipt.evidence == () and node.evidence == "no evidence"
    assert node.identify(bytes(32)).evidence == ()


def test_identify_wants_32_bytes(node: Node) -> None:
    with pytest.raises(NodeError) as caught:
        node.identify(b"short")
    assert caught.value.code == "request.challenge.malformed"


def test_integers_and_flags_as_lists(node: Node) -> None:
    circuit = integer_circuit()
    values = ListedInput({"n": [[1, 200]], "flag": [[True, False]]})
    answered = node.run(request(model=circuit.digest, payload=values))
    assert answered.output.tensors["total"].tolist() == [[2, 200]]


def test_a_stage_out_of_order_is_our_own_fault() -> None:
    with pytest.raises(NodeError) as caught:
        Inference(request(), AT)[Admitted]
    assert caught.value.code == "node.pipeline.order"


def test_a_data_directory_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NodeError) as caught:
        Node(tmp_path / "file")
    assert caught.value.code == "node.data-dir.unusable"
    assert str(tmp_path) not in caught.value.message


def test_a_proof_about_committed_weights(node: Node) -> None:
    from prover import commit_weights

    root = commit_weights(CIRCUIT).root
    asked = request(prove=True, committed=True)
    answered = node.run(asked)
    assert answered.receipt.proof is not None and answered.receipt.proof.weights == root
    assert read_affidavit(answered.affidavit).roles.keys() == {"trace", "output", "outline"}
    policy = replace(trusting(node.keys.signing), assurance=("signed", "proved"), models=frozenset([CIRCUIT.digest]))
    known = Known(inputs=inputs(), nonce=asked.nonce)
    result = verify(answered.affidavit, at=AT, policy=replace(policy, commitments={CIRCUIT.digest: root}), known=known)
    assert (result.verdict, result.code) == (Verdict.ACCEPT, "")
    assert verify(answered.affidavit, at=AT, policy=policy, known=known).code == "proof.weights.unknown"
