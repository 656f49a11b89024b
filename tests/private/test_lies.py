# SPDX-License-Identifier: AGPL-3.0-or-later
"""A node that computes something else than it signs, with its own key: each lie is found, and by its own code."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from affidavit.demo import private_lies as lies
from affidavit.demo.lies import cheaper_model
from affidavit.errors import NotAccepted
from affidavit.local import LocalClient
from affidavit.private import PrivateSession
from circuits import Constant
from node.encrypted_recheck import open_own_seed, recheck_encrypted
from node.keys import NodeKeys
from tests.private.making import blob_of, claim_of, inputs, network, now, policy
from verifier import RejectedError, UnsupportedError, Verdict, read_affidavit


def other_weights(circuit):
    """Every constant negated."""
    negated = tuple(Constant(constant.name, -constant.data) for constant in circuit.constants)
    return replace(circuit, constants=negated)


@pytest.fixture
def keys(node) -> NodeKeys:
    return NodeKeys.open(node.data_dir)


@pytest.mark.parametrize("change", [cheaper_model, lies.half_the_work, other_weights])
def test_swapped_weights_and_skipped_layers(node, session, pool, answered, keys, change):
    question, genuine = answered
    lie = lies.other_weights(
        genuine, change(network()), keys, request=question.ciphertexts, evaluation_keys=session.evaluation_keys
    )
    assert lie != genuine
    honest = session.reexecute(question, pool)
    with pytest.raises(NotAccepted) as refusal:
        session.believe(question, lie, policy=policy(node), at=now(), reexecuted=honest)
    assert refusal.value.code == "recheck.encrypted.mismatch"
    finding = recheck_encrypted(
        read_affidavit(lie), network(), pool, request=question.ciphertexts, keys=session.evaluation_keys
    )
    assert not finding.agrees and finding.answer == honest


def test_replayed_ciphertexts(node, session, pool, answered, keys):
    """An older answer of the same node, in the same session, to another question."""
    question, genuine = answered
    local = LocalClient(node, policy=policy(node))
    later = session.ask(inputs(seed=9), policy=local.policy, embed_input=True)
    local.upload(later.ciphertexts)
    newer = local.exchange_unverified(later.request)
    for lie, code in (
        (genuine, "request.nonce.mismatch"),  # as it was
        (lies.another_answer(newer, genuine, keys), "recheck.encrypted.mismatch"),  # signed as the new answer
    ):
        with pytest.raises(NotAccepted) as refusal:
            session.believe(later, lie, policy=policy(node), at=now(), reexecuted=session.reexecute(later, pool))
        assert refusal.value.code == code
    claim = claim_of(genuine)
    with pytest.raises(NotAccepted) as refusal:  # computed on the older request, and says so
        session.believe(later, lies.resigned(newer, keys, claim=claim), policy=policy(node), at=now())
    assert refusal.value.code == "private.request.mismatch"
    assert claim.inputs == question.sent


def test_another_sessions_keys_and_another_preset(node, session, answered, keys):
    question, genuine = answered
    for lie, code in (
        (lies.other_keys(genuine, keys), "private.keys.mismatch"),
        (lies.other_preset(genuine, keys), "private.interface.mismatch"),
    ):
        with pytest.raises(NotAccepted) as refusal:
            session.believe(question, lie, policy=policy(node), at=now())
        assert refusal.value.result.verdict is Verdict.REJECT
        assert refusal.value.code == code


def test_executing_again_agrees_with_the_honest_node_in_another_process(pool, answered):
    finding = recheck_encrypted(read_affidavit(answered[1]), network(), pool)
    assert finding.agrees and finding.gates == 1
    assert finding.statement("2026-11-22T00:00:00Z").agrees


def test_what_an_auditor_must_hold(session, pool, answered):
    question, genuine = answered
    parsed = read_affidavit(genuine)
    for options, code in (
        ({"request": b"another"}, "private.request.mismatch"),
        ({"keys": b"another"}, "private.keys.mismatch"),
        ({"seed": bytes(32)}, "private.seed.mismatch"),
    ):
        with pytest.raises(RejectedError) as refusal:
            recheck_encrypted(parsed, network(), pool, **options)
        assert refusal.value.code == code
    with pytest.raises(RejectedError) as refusal:
        recheck_encrypted(parsed, network(seed=5), pool)
    assert refusal.value.code == "model.circuit.mismatch"
    bare = replace(parsed, roles={"output": parsed.roles["output"]})
    with pytest.raises(UnsupportedError) as missing:
        recheck_encrypted(bare, network(), pool)
    assert missing.value.code == "recheck.request.missing"
    with pytest.raises(UnsupportedError) as missing:
        recheck_encrypted(bare, network(), pool, request=question.ciphertexts)
    assert missing.value.code == "recheck.keys.missing"
    with pytest.raises(UnsupportedError) as missing:
        recheck_encrypted(replace(parsed, receipt=replace(parsed.receipt, fhe=None)), network(), pool)
    assert missing.value.code == "private.section.missing"


@pytest.mark.parametrize(
    ("section", "code"),
    [
        ({"parameters": bytes(32)}, "private.preset.mismatch"),
        ({"layers": ("hidden", "square")}, "private.layers.mismatch"),
        ({"magnitudes": ()}, ""),
    ],
)
def test_a_section_that_is_not_the_circuits(pool, answered, section, code):
    parsed = read_affidavit(answered[1])
    changed = replace(parsed, receipt=replace(parsed.receipt, fhe=replace(claim_of(answered[1]), **section)))
    if not code:
        assert recheck_encrypted(changed, network(), pool).agrees  # what it was already
        return
    with pytest.raises(RejectedError) as refusal:
        recheck_encrypted(changed, network(), pool)
    assert refusal.value.code == code


def test_protected_replies_are_executed_again_with_the_opened_seed(node, pool, keys):
    local = LocalClient(node, policy=policy(node))
    session = PrivateSession(network(), last=1, preset="lin8", protected=True)
    affidavit = read_affidavit(session.infer(local, inputs(), embed_input=True).affidavit)
    with pytest.raises(UnsupportedError) as missing:
        recheck_encrypted(affidavit, network(), pool)
    assert missing.value.code == "recheck.seed.missing"
    seed = open_own_seed(affidavit, keys)
    assert recheck_encrypted(affidavit, network(), pool, seed=seed).agrees
    import fhe

    with pytest.raises(fhe.RejectedError) as wrong:
        recheck_encrypted(affidavit, network(), pool, seed=hashlib.sha256(seed).digest())
    assert wrong.value.code == "fhe.seed.mismatch"
    with pytest.raises(RejectedError) as stranger:
        open_own_seed(affidavit, NodeKeys.generate())
    assert stranger.value.code == "private.seed.mismatch"


def test_bare_replies_have_no_seed(answered, keys):
    with pytest.raises(UnsupportedError) as refusal:
        open_own_seed(read_affidavit(answered[1]), keys)
    assert refusal.value.code == "private.section.missing"


def test_a_bare_reply_gives_the_model_away_and_a_protected_one_does_not(node):
    """One layer in coefficients: c1 of the answer is c1 of the request times the weights; no secret is in it."""
    import fhe

    plan = fhe.plan(network(), stop=1, preset="lin8")
    n, primes = plan.preset.n, plan.preset.moduli[: plan.preset.levels]

    def quotients(protected: bool) -> set[int]:
        session = PrivateSession(network(), last=1, preset="lin8", protected=protected)
        local = LocalClient(node, policy=policy(node))
        answer = session.infer(local, inputs(), embed_input=True)
        request = fhe.parse_ciphertexts(blob_of(answer.affidavit, "input")).limbs
        reply = fhe.parse_ciphertexts(blob_of(answer.affidavit, "output"), answer=True).limbs
        from fhe.ring import Ring

        ring, q = Ring(plan.preset), primes[0]
        inverse = [pow(int(a), -1, q) for a in request[0, 1, 0]]
        ratio = np.array([int(b) * i % q for b, i in zip(reply[0, 1, 0], inverse, strict=True)], np.uint64)
        limbs = np.stack([ratio] * len(primes))[None]
        weights = ring.backward(limbs)[0, 0].astype(object)
        return {int(w) if w < q // 2 else int(w) - q for w in weights}

    true = set(np.unique(network().constants[0].data).tolist())
    assert true - {0} <= quotients(protected=False)
    assert len(quotients(protected=False)) < 100
    assert len(quotients(protected=True)) > n // 2
