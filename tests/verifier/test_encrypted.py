# SPDX-License-Identifier: AGPL-3.0-or-later
"""Executions on ciphertexts as the pure core sees them: every field of the section, every lie, every missing thing."""

from __future__ import annotations

import contextlib
import copy
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fhe
from verifier import Known, MalformedError, Verdict, verify, write_affidavit
from verifier.dsse import sign_envelope
from verifier.encrypted import PRESETS, EncryptedRequest, encrypted_gates, parse_fhe
from verifier.fields import Fields
from verifier.inspection import inspect_affidavit
from verifier.policy import RequestPins
from verifier.private import KnownRequest
from verifier.report import result_json

from .encrypted_making import ANSWER, KEYS, REQUEST, SENT, EncryptedMaking, demanding, seeded, sha, square_circuit
from .making import AT, NODE, NONCE, STRANGER, Making, public

CIRCUIT = square_circuit()


def decide(making=None, policy=None, *, sent=SENT, reexecuted=sha(ANSWER), circuit=CIRCUIT, data=None, nonce=NONCE):
    known = Known(circuit=circuit, nonce=nonce, encrypted=KnownRequest(sent, reexecuted))
    content = (making or EncryptedMaking()).build() if data is None else data
    return verify(content, at=AT, policy=policy or demanding("signed", "rechecked", "private"), known=known)


def test_presets_are_those_of_the_engine():
    assert {name: (p.scheme, p.digest.hex()) for name, p in fhe.PRESETS.items()} == dict(PRESETS)


def test_accepted_with_everything_that_was_asked():
    result = decide()
    assert (result.verdict, result.code) == (Verdict.ACCEPT, "")
    assert result.ciphertexts == ANSWER and result.answer is None
    layers = {layer.name: layer for layer in result.ledger.layers}
    assert layers["private"].reached and layers["private"].bits == 128
    assert layers["rechecked"].reached and layers["rechecked"].method == "re-execution on ciphertexts"
    assert {gate.assurance for gate in result.ledger.gates} == {"rechecked (encrypted)"}
    assert result_json(result, AT)["claims"]["receipt"]["fhe"]["preset"] == "lin8"


def test_only_encrypted_gates_are_covered():
    result = decide(EncryptedMaking(last=1))
    assert [gate.assurance for gate in result.ledger.gates] == ["rechecked (encrypted)", "none", "none"]


def test_protected_replies():
    result = decide(EncryptedMaking(sent=seeded()))
    assert result.verdict is Verdict.ACCEPT
    assert EncryptedMaking(sent=seeded()).claim().protected and not EncryptedMaking().claim().protected


def test_an_auditor_relies_on_pins_and_statements():
    """Nobody but the file says what was sent, unless the policy pins it; a listed rechecker executed it again."""
    policy = demanding("signed", "rechecked", "private")
    making = EncryptedMaking(agrees=True)
    found = decide(making, policy, sent=None, reexecuted=None)
    assert (found.verdict, found.code) == (Verdict.UNVERIFIABLE, "request.input.unknown")
    pinned = replace(policy, request=RequestPins(NONCE, SENT.commitment))
    found = decide(making, pinned, sent=None, reexecuted=None)
    assert found.verdict is Verdict.ACCEPT and found.ledger.reached("private") and found.ledger.reached("rechecked")
    assert "recheck.encrypted.outside" in {check.code for check in found.checks}


def test_a_rechecker_who_disagrees():
    found = decide(EncryptedMaking(agrees=False), reexecuted=None)
    assert (found.verdict, found.code) == (Verdict.REJECT, "recheck.disagrees")
    assert found.ciphertexts is None


def _of(**section: Any) -> EncryptedMaking:
    return EncryptedMaking(section=section)


@pytest.mark.parametrize(
    ("making", "code"),
    [
        # computed on, or under, or with something else than the client sent
        (
            EncryptedMaking(sent=replace(SENT, request=sha(b"old")), roles={"output": ANSWER}),
            "private.request.mismatch",
        ),
        (EncryptedMaking(sent=replace(SENT, keys=sha(b"old")), roles={"output": ANSWER}), "private.keys.mismatch"),
        (EncryptedMaking(sent=replace(SENT, interface=sha(b"x"))), "private.interface.mismatch"),
        # says something about the circuit that is not so
        (_of(layers=("hidden", "logits")), "private.layers.mismatch"),
        (_of(layers=("hidden", "logits", "square")), "private.layers.mismatch"),
        (_of(last=9), "private.layers.mismatch"),
        (_of(parameters=bytes(32)), "private.preset.mismatch"),
        (_of(scheme="ckks"), "private.preset.mismatch"),
        (_of(preset="mlp1"), "private.preset.mismatch"),
        # contradicts itself
        (EncryptedMaking(change={"input": bytes(32)}), "private.input.mismatch"),
        (_of(answer=sha(b"another")), "answer.output.mismatch"),
        (EncryptedMaking(change={"output": sha(b"another")}), "private.answer.mismatch"),
        (EncryptedMaking(roles={"output": b"another"}), "answer.output.mismatch"),
        (EncryptedMaking(roles={"output": ANSWER, "input": b"another"}), "private.carried.mismatch"),
        (EncryptedMaking(roles={"output": ANSWER, "keys": b"another"}), "private.carried.mismatch"),
        # an answer to somebody else
        (EncryptedMaking(nonce=bytes(32)), "request.nonce.mismatch"),
        (EncryptedMaking(key=STRANGER), "receipt.signer.not-allowed"),
    ],
)
def test_lies(making, code):
    found = decide(making)
    assert (found.verdict, found.code) == (Verdict.REJECT, code)
    assert found.ciphertexts is None


def test_another_answer_than_executing_again_gives():
    found = decide(reexecuted=sha(b"honest answer"))
    assert (found.verdict, found.code) == (Verdict.REJECT, "recheck.encrypted.mismatch")


def test_a_seed_where_another_was_agreed():
    found = decide(EncryptedMaking(sent=seeded()), sent=replace(SENT, seed=sha(b"agreed")))
    assert (found.verdict, found.code) == (Verdict.REJECT, "private.seed.mismatch")


@pytest.mark.parametrize(
    ("making", "options", "code"),
    [
        (_of(preset="later"), {}, "private.preset.unknown"),
        (EncryptedMaking(), {"circuit": None}, "private.circuit.missing"),
        (EncryptedMaking(), {"sent": None}, "request.input.unknown"),
        (EncryptedMaking(), {"reexecuted": None}, "recheck.encrypted.outside"),
        (EncryptedMaking(roles={"input": REQUEST, "keys": KEYS}), {}, "answer.output.missing"),
    ],
)
def test_what_is_missing_is_never_passed(making, options, code):
    policy = replace(demanding("signed", "rechecked", "private"), require_model=False, require_input=False)
    found = decide(making, policy, **options)
    assert (found.verdict, found.code) == (Verdict.UNVERIFIABLE, code)
    assert found.ciphertexts is None


def test_in_clear_where_private_is_demanded():
    known = Known(circuit=Making().circuit, inputs=Making().inputs, nonce=NONCE, encrypted=KnownRequest(SENT))
    found = verify(Making().build(), at=AT, policy=demanding(), known=known)
    assert (found.verdict, found.code) == (Verdict.UNVERIFIABLE, "policy.private.not-reached")


DESCRIPTIVE = ""
# path in the section -> code when the node itself, with its own key, signs another value there and nothing else
MANIFEST = {
    "scheme": "receipt.malformed",
    "preset": "private.preset.unknown",
    "parameters": "private.preset.mismatch",
    "packing": "receipt.malformed",
    "replies": "receipt.malformed",
    "first": "private.layers.mismatch",
    "last": "private.layers.mismatch",
    "magnitudes.0": DESCRIPTIVE,  # what executing again takes; a node that executed otherwise is found by that
    "layers.0": "private.layers.mismatch",
    "layers.1": "private.layers.mismatch",
    "layers.2": "private.layers.mismatch",
    "interface": "private.input.mismatch",
    "keys": "private.input.mismatch",
    "request": "private.input.mismatch",
    "answer": "private.answer.mismatch",
    "seed": "receipt.malformed",
}


def _leaves(value: Any, path: str = "") -> list[str]:
    if isinstance(value, dict):
        return [leaf for key in value for leaf in _leaves(value[key], f"{path}.{key}")]
    if isinstance(value, list):
        return [leaf for i, entry in enumerate(value) for leaf in _leaves(entry, f"{path}.{i}")]
    return [path.removeprefix(".")]


def _signed(statement: dict[str, Any]) -> bytes:
    payload = json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()
    envelope = sign_envelope(payload, public_key=public(NODE), sign=NODE.sign)
    return write_affidavit({"receipt": envelope}, {"output": ANSWER})


STATEMENT = json.loads(EncryptedMaking().receipt().statement().encode())


def test_every_field_of_the_section_is_in_the_manifest():
    assert sorted(_leaves(STATEMENT["predicate"]["fhe"])) == sorted(MANIFEST)


@pytest.mark.parametrize("path", sorted(MANIFEST))
def test_the_node_lies_in_one_field(path):
    statement = copy.deepcopy(STATEMENT)
    *parents, last = path.split(".")
    here: Any = statement["predicate"]["fhe"]
    for key in parents:
        here = here[key]
    where: Any = int(last) if last.isdigit() else last
    old = here[where]
    if old is None:
        here[where] = "11" * 32
    elif isinstance(old, int):
        here[where] = old + 1
    elif len(old) == 64:
        here[where] = ("1" if old[0] == "0" else "0") + old[1:]
    else:
        here[where] = old + "x"
    assert decide(data=_signed(statement)).code == MANIFEST[path]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("salted", True),
        ("trace", {**STATEMENT["predicate"]["trace"], "count": 3}),
        ("proof", {"system": "proof@v1", "mode": "held", "digest": "00" * 32, "size": 1}),
    ],
)
def test_what_an_execution_on_ciphertexts_cannot_have(field, value):
    statement = copy.deepcopy(STATEMENT)
    statement["predicate"][field] = value
    assert decide(data=_signed(statement)).code == "receipt.malformed"


def test_a_trace_of_something_else():
    making = EncryptedMaking()
    trace = making.receipt().trace
    wrong = EncryptedMaking(change={"trace": replace(trace, root=bytes(32))})
    assert decide(wrong).code == "trace.root.mismatch"
    wrong = EncryptedMaking(change={"trace": replace(trace, leaves=bytes(32))})
    assert decide(wrong).code == "trace.leaves.mismatch"


def test_a_section_without_a_seed_says_bare():
    section = json.loads(json.dumps(EncryptedMaking().claim().as_json()))
    assert parse_fhe(Fields(section, "fhe", "receipt.malformed")) == EncryptedMaking().claim()
    section["replies"] = "protected"
    with pytest.raises(MalformedError):
        parse_fhe(Fields(section, "fhe", "receipt.malformed"))


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=8), lambda x: st.lists(x, max_size=3)))
def test_hostile_values_are_typed_errors(value):
    for key in EncryptedMaking().claim().as_json():
        section = {**EncryptedMaking().claim().as_json(), key: value}
        with contextlib.suppress(MalformedError):
            parse_fhe(Fields(section, "fhe", "receipt.malformed"))


def test_gates_between_two_tensors():
    assert encrypted_gates(CIRCUIT, 0, 3) == ("hidden", "square", "logits")
    assert encrypted_gates(CIRCUIT, 1, 3) == ("square", "logits")
    assert encrypted_gates(CIRCUIT, 0, 1) == ("hidden",)


def test_the_commitment_covers_every_part():
    whole = EncryptedRequest(*(sha(bytes([i])) for i in range(4)))
    parts = ("interface", "keys", "request", "seed")
    others = {replace(whole, **{part: bytes(32)}).commitment for part in parts}
    assert len(others | {whole.commitment}) == 5


def test_inspection_believes_nothing_and_reads_no_ciphertext():
    from verifier import read_affidavit

    shown = inspect_affidavit(read_affidavit(EncryptedMaking().build()))
    assert shown["receipt"]["fhe"]["request"] == sha(REQUEST).hex()
    assert shown["carries"]["input"] == {"sha256": sha(REQUEST).hex(), "bytes": len(REQUEST)}
