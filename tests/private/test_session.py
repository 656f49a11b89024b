# SPDX-License-Identifier: AGPL-3.0-or-later
"""The client's side: right answers, verified before they are decrypted, and nothing told to the node."""

from __future__ import annotations

import stat
from dataclasses import replace

import numpy as np
import pytest

import fhe
import verifier
from affidavit.errors import NotAccepted, OperationalError, RejectedError, UnsupportedError
from affidavit.local import LocalClient
from affidavit.private import PrivateSession
from affidavit.private.partial import evaluate_from
from affidavit.private.session import load_keys
from circuits import dump_circuit, encode_inputs, evaluate
from tests.fhe.making import linear, mlp
from tests.private.making import claim_of, expected, inputs, network, now, policy
from verifier import Verdict


def test_the_first_layer_encrypted_is_exact(node, session, pool):
    """BFV: bit for bit what the circuit says, and executed again by the client itself."""
    local = LocalClient(node, policy=policy(node, "signed", "rechecked", "private"))
    answer = session.infer(local, inputs(), recheck=pool)
    np.testing.assert_array_equal(answer.outputs["y"], expected(inputs()))
    assert answer.exact and answer.error == 0.0
    assert answer.result.ledger.reached("rechecked") and answer.result.ledger.reached("private")


def test_the_whole_network_encrypted(node):
    """CKKS: within the error that it states, and rounded to it."""
    local = LocalClient(node, policy=policy(node))
    whole = PrivateSession(network(), preset="mlp1")
    answer = whole.infer(local, inputs())
    assert not answer.exact and 0 < answer.error < 0.01 * np.abs(expected(inputs())).max()
    assert np.abs(answer.outputs["y"] - expected(inputs())).max() <= answer.error
    grid = answer.outputs["y"] / answer.error
    np.testing.assert_array_equal(grid, np.rint(grid))


def test_a_batch_encrypted_whole_and_exact(node):
    """BFV, one ciphertext per element for all samples: the whole network, bit for bit."""
    circuit = mlp((6, 3, 2), 15, 7)
    node.models.put(dump_circuit(circuit))
    local = LocalClient(node, policy=policy(node))
    batch = PrivateSession(circuit, samples=5, preset="batch-mlp-exact")
    x = np.random.default_rng(2).integers(0, 16, (5, 6)).astype(np.float32)
    answer = batch.infer(local, {"x": x})
    np.testing.assert_array_equal(answer.outputs["y"], evaluate(circuit, encode_inputs(circuit, {"x": x}))[-1])


def test_calibration_travels_with_the_layout(node, pool):
    local = LocalClient(node, policy=policy(node))
    loose, tight = (PrivateSession(network(), preset="mlp1", calibration=c) for c in (None, inputs(50, seed=3)))
    assert tight.layout.magnitudes and not loose.layout.magnitudes
    answer = tight.infer(local, inputs(), recheck=pool)
    assert claim_of(answer.affidavit).magnitudes == tight.layout.magnitudes
    assert fhe.estimate(tight.plan).error <= fhe.estimate(loose.plan).error
    assert np.abs(answer.outputs["y"] - expected(inputs())).max() <= answer.error


def test_several_samples(node):
    local = LocalClient(node, policy=policy(node))
    answer = PrivateSession(network(), samples=3, last=1, preset="lin8").infer(local, inputs(3))
    np.testing.assert_array_equal(answer.outputs["y"], expected(inputs(3)))


def test_nothing_is_decrypted_that_is_not_believed(node, session, answered, monkeypatch):
    question, affidavit = answered
    keys = session._open()
    monkeypatch.setattr(type(keys), "decrypt", lambda *_: pytest.fail("decrypted"))
    for asked, demanded in (
        (question, policy(node, "signed", "rechecked", "private")),
        (question, replace(policy(node), nodes=frozenset({bytes(32)}))),
        (replace(question, sent=replace(question.sent, request=bytes(32))), policy(node)),
        (replace(question, request=replace(question.request, nonce=bytes(32))), policy(node)),
    ):
        with pytest.raises(NotAccepted) as refusal:
            session.believe(asked, affidavit, policy=demanded, at=now())
        assert refusal.value.result.verdict is not Verdict.ACCEPT


def test_what_cannot_be_read_ends_the_session(node, answered):
    """No hint to the node, no second try: the keys are gone."""
    question, affidavit = answered
    other = PrivateSession(network(), last=1, preset="lin8")
    with pytest.raises(RejectedError) as refusal:  # verified, but under keys that do not read it
        other.believe(question, affidavit, policy=policy(node), at=now())
    assert refusal.value.code == "client.private.unreadable"
    with pytest.raises(RejectedError) as closed:
        other.ask(inputs(), policy=policy(node))
    assert closed.value.code == "client.private.closed"


def test_protected_replies_are_rechecked_by_auditors(node, pool):
    local = LocalClient(node, policy=policy(node))
    protected = PrivateSession(network(), last=1, preset="lin8", protected=True)
    answer = protected.infer(local, inputs())
    np.testing.assert_array_equal(answer.outputs["y"], expected(inputs()))
    assert claim_of(answer.affidavit).protected
    question = protected.ask(inputs(), policy=local.policy)
    with pytest.raises(UnsupportedError) as refusal:
        protected.reexecute(question, pool)
    assert refusal.value.code == "client.private.seeded"


def test_a_client_that_may_not_have_the_weights(node):
    """It plans, asks, verifies and decrypts with an outline alone, and protected replies show it answers alone."""
    circuit = linear((40, 3), 15, 7)
    node.models.put(dump_circuit(circuit))
    local = LocalClient(node, policy=policy(node))
    session = PrivateSession.of_outline(node.outline(circuit.digest), circuit.digest)
    assert not any(constant.data.any() for constant in session.circuit.constants)
    x = {"x": np.random.default_rng(6).integers(0, 16, (1, 40)).astype(np.float32)}
    answer = session.infer(local, x)
    np.testing.assert_array_equal(answer.outputs["y"], evaluate(circuit, encode_inputs(circuit, x))[-1])
    assert answer.result.ledger.reached("private") and "model.outline" in {c.id for c in answer.result.checks}
    with pytest.raises(verifier.RejectedError) as refusal:
        PrivateSession.of_outline(node.outline(circuit.digest), bytes(32))
    assert refusal.value.code == "proof.outline.digest-mismatch"


def test_two_questions_have_nothing_in_common(session):
    first, second = (session.ask(inputs(), policy=policy_of_nobody()) for _ in range(2))
    assert first.request.nonce != second.request.nonce and first.ciphertexts != second.ciphertexts


def policy_of_nobody():
    from verifier.policy import DEFAULT_POLICY

    return DEFAULT_POLICY


def test_keys_are_kept_only_where_asked(node, tmp_path):
    first = PrivateSession(network(), last=1, preset="lin8")
    path = tmp_path / "session.key"
    question = first.ask(inputs(), policy=policy(node), embed_input=True)
    first.save(path, "correct horse")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    local = LocalClient(node, policy=policy(node))
    for part in (first.evaluation_keys, question.ciphertexts):
        local.upload(part)
    affidavit = local.exchange_unverified(question.request)
    again = PrivateSession(network(), last=1, preset="lin8", keys=load_keys(path, "correct horse"))
    answer = again.believe(question, affidavit, policy=local.policy, at=now())
    np.testing.assert_array_equal(answer.outputs["y"], expected(inputs()))
    with pytest.raises(OperationalError) as refusal:
        first.save(path, "again")
    assert refusal.value.code == "client.private.keyfile"
    with pytest.raises(OperationalError) as refusal:
        load_keys(tmp_path / "none", "x")
    assert refusal.value.code == "client.private.keyfile"


def test_without_the_library_it_is_refused(monkeypatch):
    import fhe.seal_bridge

    def absent():
        raise fhe.UnsupportedError("fhe.library.missing", "seal-python is not installed")

    monkeypatch.setattr(fhe.seal_bridge, "load_seal", absent)
    with pytest.raises(UnsupportedError) as refusal:
        PrivateSession(network(), last=1, preset="lin8")
    assert refusal.value.code == "client.private.unavailable"


def test_a_part_of_a_circuit():
    tensors = evaluate(network(), encode_inputs(network(), inputs(2)))
    found = evaluate_from(network(), {1: tensors[1]}, frozenset({3}))
    np.testing.assert_array_equal(found[3], tensors[3])
    assert evaluate_from(network(), {0: tensors[0]}, frozenset({0, 2}))[2].tolist() == tensors[2].tolist()
    with pytest.raises(KeyError):
        evaluate_from(network(), {2: tensors[2]}, frozenset({1}))
