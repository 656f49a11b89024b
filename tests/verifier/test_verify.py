# SPDX-License-Identifier: AGPL-3.0-or-later
"""The decision, line by line: honest affidavits, missing knowledge, and every way in which a node can lie."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

import numpy as np
import pytest

import circuits
from circuits import dump_circuit
from tests.conftest import ROOT
from verifier import Known, Outcome, Verdict, answer, parse_policy, verify
from verifier.dsse import sign_envelope
from verifier.policy import Policy, RequestPins
from verifier.recheck import RecheckStatement, receipt_digest
from verifier.tensors import commit, encode_tensors
from verifier.trace import root

from .making import AT, NODE, NONCE, RECHECKER, STRANGER, Making, inputs, public, small_circuit, trusting

KNOWN = Known(circuit=small_circuit(), inputs=inputs(), nonce=NONCE)


def decide(making: Making, *, policy: Policy | None = None, known: Known = KNOWN, at=AT):
    return verify(making.build(), at=at, policy=policy or trusting(), known=known)


def test_honest():
    result = decide(Making())
    assert (result.verdict, result.code) == (Verdict.ACCEPT, "")
    assert not [check for check in result.checks if check.outcome is Outcome.FAIL]
    assert [layer.name for layer in result.ledger.layers if layer.reached] == ["signed", "rechecked"]
    assert {gate.assurance for gate in result.ledger.gates} == {"rechecked"}
    assert result.ledger.weakest is not None and result.ledger.weakest.bits == 128
    outputs = Making().outputs()["y"] * 0.125
    np.testing.assert_array_equal(result.answer["y"], outputs)


def test_honest_and_lean():
    lean = Making(embed_circuit=False, embed_input=False)
    assert decide(lean).verdict is Verdict.ACCEPT


def test_honest_and_private():
    making = Making(salt=b"\x09" * 32, embed_input=False, embed_output=False)
    from verifier import Opening

    openings = (Opening(making.encoded(), making.salt), Opening(making.outputs(), making.salt))
    result = decide(making, known=replace(KNOWN, openings=openings))
    assert (result.verdict, result.code) == (Verdict.ACCEPT, "")
    result = decide(making)
    assert (result.verdict, result.code) == (Verdict.UNVERIFIABLE, "request.input.unknown")


def test_pinned_in_the_policy_instead_of_given():
    making = Making()
    policy = trusting(models=frozenset({making.circuit.digest}), request=RequestPins(NONCE, commit(making.encoded())))
    result = decide(making, policy=policy, known=Known())
    assert (result.verdict, result.code) == (Verdict.ACCEPT, "")
    assert result.answer is not None


def test_the_default_policy_accepts_nothing():
    result = verify(Making().build(), at=AT, known=KNOWN)
    assert (result.verdict, result.code) == (Verdict.UNVERIFIABLE, "evidence.absent")
    assert result.answer is None


UNVERIFIABLE = {
    "request.nonce.unknown": (Making(), trusting(), replace(KNOWN, nonce=None)),
    "model.circuit.unknown": (Making(), trusting(), Known(nonce=NONCE, inputs=inputs())),
    "request.input.unknown": (Making(embed_input=False), trusting(), replace(KNOWN, inputs=None)),
    "answer.output.missing": (Making(embed_output=False), trusting(), KNOWN),
    "receipt.signer.unknown": (Making(), trusting(nodes=frozenset()), KNOWN),
    "trace.leaves.missing": (Making(embed_trace=False), trusting(), KNOWN),
    "recheck.too-expensive": (Making(), trusting(max_macs=1), KNOWN),
    "evidence.absent": (Making(), trusting(assurance=("attested",)), KNOWN),
    "policy.proved.not-reached": (Making(), trusting(assurance=("proved",)), KNOWN),
    "policy.private.not-reached": (Making(), trusting(assurance=("private",)), KNOWN),
    "policy.score.too-low": (Making(), trusting(minimum_score=990), KNOWN),
    "evidence.type.unsupported": (
        Making(evidence=(("future@v9", {"quote": b"q"}),)),
        trusting(assurance=("attested",)),
        KNOWN,
    ),
    "evidence.type.not-accepted": (
        Making(evidence=(("tpm2-quote@v1", {"attest": b"q"}),)),
        trusting(assurance=("attested",)),
        KNOWN,
    ),
}


@pytest.mark.parametrize("code", sorted(UNVERIFIABLE))
def test_unverifiable(code):
    making, policy, known = UNVERIFIABLE[code]
    result = decide(making, policy=policy, known=known)
    assert (result.verdict, result.code) == (Verdict.UNVERIFIABLE, code)
    assert result.answer is None


def _other_output():
    return encode_tensors({"y": np.zeros((2, 2), np.int64)})


REJECTED = {
    # the bearer of the file lies
    "answer.output.mismatch": (Making(roles={"output": _other_output()}), trusting(), KNOWN),
    "request.nonce.mismatch": (Making(nonce=b"\x55" * 32), trusting(), KNOWN),
    "request.input.mismatch": (Making(), trusting(), replace(KNOWN, inputs=inputs(8))),
    "model.circuit.mismatch": (Making(circuit=small_circuit(weight=4)), trusting(), KNOWN),
    "model.circuit.not-allowed": (Making(), trusting(models=frozenset({bytes(32)})), Known(nonce=NONCE)),
    "model.carried.mismatch": (
        Making(roles={"circuit": dump_circuit(small_circuit(weight=4))}),
        trusting(models=frozenset({small_circuit().digest})),
        Known(nonce=NONCE, inputs=inputs()),
    ),
    "trace.leaves.mismatch": (Making(roles={"trace": bytes(32 * 4)}), trusting(), KNOWN),
    "receipt.signer.not-allowed": (Making(key=STRANGER), trusting(), KNOWN),
    # the node lies, with its own good key
    "receipt.context.mismatch": (Making(change={"context": bytes(32)}), trusting(), KNOWN),
    "model.weights.mismatch": (None, trusting(), KNOWN),
    "model.profile.mismatch": (None, trusting(), KNOWN),
    "recheck.trace.mismatch": (Making(ran=small_circuit(weight=4)), trusting(), KNOWN),
    "trace.output.mismatch": (
        Making(change={"output": commit({"y": np.zeros((2, 2), np.int64)})}, roles={"output": _other_output()}),
        trusting(),
        KNOWN,
    ),
    "receipt.time.future": (Making(change={"completed_at": "2026-11-21T12:05:01Z"}), trusting(), KNOWN),
    "receipt.time.invalid": (Making(change={"received_at": "2026-11-21T12:00:01Z"}), trusting(), KNOWN),
    "receipt.time.too-old": (Making(), trusting(max_age_seconds=1), replace(KNOWN)),
}


class Relabelled(Making):
    """A node that states other weights or another profile under the right circuit digest, consistently."""

    def receipt(self):
        receipt = replace(super().receipt(), **self.relabel)  # type: ignore[attr-defined]
        return replace(receipt, context=receipt.rebuilt_context().digest)


def relabelled(**change):
    making = Relabelled()
    object.__setattr__(making, "relabel", MappingProxyType(change))
    return making


def replace_roles(making, roles):
    object.__setattr__(making, "roles", roles)
    return making


def _making(code):
    claim = Making().receipt().model
    if code == "model.weights.mismatch":
        return relabelled(model=replace(claim, weights=bytes(32)))
    if code == "model.profile.mismatch":
        return relabelled(profile="int-shift-rhe@v1")
    return REJECTED[code][0]


@pytest.mark.parametrize("code", sorted(REJECTED))
def test_rejected(code):
    _, policy, known = REJECTED[code]
    late = AT + timedelta(hours=1) if code == "receipt.time.too-old" else AT
    result = decide(_making(code), policy=policy, known=known, at=late)
    assert (result.verdict, result.code) == (Verdict.REJECT, code)
    assert result.answer is None
    assert result.score.permille == 0


def test_forged_signature():
    honest = Making()
    forged = sign_envelope(honest.receipt().statement().encode(), public_key=public(NODE), sign=STRANGER.sign)

    class Forged(Making):
        def envelope(self):
            return forged

    assert decide(Forged()).code == "receipt.signature.invalid"


def test_a_wrong_gate_is_named():
    """Honest weights, one activation changed half way: the first gate that differs is named."""

    class Careless(Making):
        def tensors(self):
            tensors = super().tensors()
            tensors[2] = tensors[2].copy()
            tensors[2][0, 0] += 1
            return tensors

    result = decide(Careless())
    assert result.code == "recheck.trace.mismatch"
    assert "requant 'relu' (tensor 2)" in result.message


def test_wrong_root():
    honest = Making().receipt()
    result = decide(Making(change={"trace": replace(honest.trace, root=bytes(32))}))
    assert result.code == "trace.root.mismatch"


def test_trace_of_another_length():
    digests = [bytes([i]) * 32 for i in range(3)]
    import hashlib

    blob = b"".join(digests)
    claim = replace(Making().receipt().trace, root=root(digests), count=3, leaves=hashlib.sha256(blob).digest())
    result = decide(Making(change={"trace": claim}, roles={"trace": blob}))
    assert result.code == "trace.length.mismatch"


@pytest.mark.parametrize(
    "tensors",
    [
        {"y": np.zeros((2, 3), np.int64)},
        {"y": np.zeros((1, 2), np.int64)},
        {"y": np.full((2, 2), 1 << 40)},
        {"z": np.zeros((2, 2), np.int64)},
        {},
    ],
)
def test_answers_that_the_circuit_cannot_give(tensors):
    making = Making(change={"output": commit(tensors)}, roles={"output": encode_tensors(tensors)})
    assert decide(making).code == "answer.fit.mismatch"


@pytest.mark.parametrize(
    "tensors",
    [{"x": np.zeros((2, 5), np.int64)}, {"x": np.full((2, 4), 256)}, {"z": np.zeros((2, 4), np.int64)}, {}],
)
def test_carried_inputs_that_the_circuit_cannot_take(tensors):
    making = relabelled(input=commit(tensors))
    making = replace_roles(making, {"input": encode_tensors(tensors)})
    policy = trusting(models=frozenset({small_circuit().digest}), require_input=False)
    assert decide(making, policy=policy, known=Known(nonce=NONCE)).code == "request.fit.mismatch"


def _recheck(making, *, key=RECHECKER, agrees=True, trace=None, receipt=None):
    payload = making.envelope().payload
    statement = RecheckStatement(
        receipt or receipt_digest(payload), trace or making.receipt().trace.root, agrees, "reference",
        "2026-11-21T12:00:00Z",
    ).statement()  # fmt: skip
    envelope = sign_envelope(statement.encode(), public_key=public(key), sign=key.sign)
    return replace(making, envelopes={"recheck-1": envelope})


LISTED = trusting(recheckers=frozenset({public(RECHECKER)}), models=frozenset({small_circuit().digest}))
NO_INPUT = Making(embed_circuit=False, embed_input=False)


def test_a_listed_rechecker_counts():
    policy = replace(LISTED, require_input=False)
    result = decide(_recheck(NO_INPUT), policy=policy, known=Known(nonce=NONCE))
    assert (result.verdict, result.code) == (Verdict.ACCEPT, "")
    assert result.ledger.reached("rechecked")


@pytest.mark.parametrize(
    ("making", "verdict", "code"),
    [
        (_recheck(NO_INPUT, key=STRANGER), Verdict.UNVERIFIABLE, "recheck.circuit.missing"),
        (_recheck(NO_INPUT, agrees=False), Verdict.REJECT, "recheck.disagrees"),
        (_recheck(NO_INPUT, trace=bytes(32)), Verdict.REJECT, "recheck.disagrees"),
        (_recheck(NO_INPUT, receipt=bytes(32)), Verdict.UNVERIFIABLE, "recheck.circuit.missing"),
    ],
)
def test_rechecks_that_do_not_count(making, verdict, code):
    result = decide(making, policy=replace(LISTED, require_input=False), known=Known(nonce=NONCE))
    assert (result.verdict, result.code) == (verdict, code)


@pytest.mark.parametrize("section", ["hops", "fallback"])
def test_sections_of_later_versions_are_never_passed(section):
    class Later(Making):
        def envelope(self):
            statement = self.receipt().statement()
            statement.predicate[section] = {"system": "later"}
            return sign_envelope(statement.encode(), public_key=public(NODE), sign=NODE.sign)

    result = decide(Later())
    assert (result.verdict, result.code) == (Verdict.UNVERIFIABLE, f"receipt.{section}.unsupported")


def test_unknown_envelopes_are_reported_and_give_nothing():
    making = Making()
    statement = replace(making.receipt().statement(), predicate_type="urn:somebody:else:v1")
    envelope = sign_envelope(statement.encode(), public_key=public(NODE), sign=NODE.sign)
    result = decide(replace(making, envelopes={"appraisal": envelope}))
    assert result.verdict is Verdict.ACCEPT
    assert "affidavit.envelope.unknown" in {check.code for check in result.checks}


def test_simulated_evidence_needs_an_unsafe_policy():
    from attestation import simulated

    making = Making()
    context = making.receipt().rebuilt_context().digest
    evidence = simulated.SimulatedEvidence().collect(context)
    making = Making(evidence=((simulated.TYPE, evidence),))
    wanted = trusting(assurance=("signed", "attested", "rechecked"))
    result = decide(making, policy=replace(wanted, evidence=(simulated.TYPE,)))
    assert result.verdict is Verdict.UNVERIFIABLE
    unsafe = replace(wanted, profile="development", unsafe_accept_simulated=True)
    assert decide(making, policy=unsafe).verdict is Verdict.ACCEPT
    assert decide(making, policy=unsafe, known=replace(KNOWN, nonce=b"\x01" * 32)).verdict is Verdict.REJECT


def test_time_needs_a_zone():
    with pytest.raises(ValueError, match="time zone"):
        verify(b"", at=AT.replace(tzinfo=None))


def test_policy_file_of_the_spec_page_parses():
    text = (ROOT / "docs/spec/policy-v1.md").read_text()
    block = text.split("```toml\n")[1].split("```")[0]
    start, end = block.index("ek_roots"), block.index("pcrs")
    concrete = (block[:start] + block[end:]).replace("<64 hex>", "0a" * 32)
    for placeholder in ("<circuit digest, 64 hex>", "<Ed25519 key, 64 hex>", "<Ed25519 key>"):
        concrete = concrete.replace(placeholder, "0b" * 32)
    policy = parse_policy(concrete.encode())
    assert policy.assurance == ("signed", "attested", "rechecked")
    assert policy.minimum_score == 900


def test_a_carried_circuit_is_loaded_only_if_the_policy_names_it(monkeypatch):
    """Loading hostile circuits costs; a file that the policy does not name is not worth it."""
    monkeypatch.setattr(circuits, "load_circuit", lambda _: pytest.fail("loaded"))
    making = Making(roles={"circuit": dump_circuit(small_circuit(weight=5))})
    policy = trusting(models=frozenset({making.circuit.digest}), request=RequestPins(NONCE, making.receipt().input))
    result = decide(making, policy=policy, known=Known())
    assert (result.verdict, result.code) == (Verdict.REJECT, "model.carried.mismatch")


def test_what_the_policy_pins_holds_beside_what_the_caller_knows():
    making = Making()
    honest = RequestPins(NONCE, making.receipt().input)
    assert decide(making, policy=trusting(request=honest)).verdict is Verdict.ACCEPT
    other = trusting(request=replace(honest, nonce=bytes(32)))
    assert decide(making, policy=other).code == "request.nonce.mismatch"
    other = trusting(request=replace(honest, input=bytes(32)))
    assert decide(making, policy=other).code == "request.input.mismatch"


def test_only_the_committed_openings_are_decoded(monkeypatch):
    """Decoding takes many times the room of the file; a blob with another digest can never be the answer."""
    making = Making(roles={"input": encode_tensors({"x": np.zeros((2, 4), np.int64)}), "output": _other_output()})
    monkeypatch.setattr(answer, "decode_tensors", lambda _: pytest.fail("decoded"))
    assert decide(making).code == "answer.output.mismatch"


def test_a_check_that_was_not_made_is_not_one_that_passed(monkeypatch):
    import sys

    core = sys.modules["verifier.verify"]

    original = core._required_ids
    monkeypatch.setattr(core, "_required_ids", lambda policy: original(policy) | {"receipt.renamed"})
    result = decide(Making())
    assert (result.verdict, result.code) == (Verdict.UNVERIFIABLE, "policy.check.not-made")


def test_recomputing_takes_bounded_memory(monkeypatch):
    from verifier import execution

    monkeypatch.setattr(execution, "MAX_ELEMENTS", 3)
    assert decide(Making()).code == "recheck.too-expensive"
