# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tamper manifest: every field of a receipt, what happens when a thief edits it and when the node itself lies.

A field that is not in the table fails the test, so adding one to the format means saying how it is defended.
"""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from verifier import Known, Verdict, verify
from verifier.dsse import sign_envelope

from .making import AT, NODE, NONCE, STRANGER, Making, inputs, public, small_circuit, trusting

KNOWN = Known(circuit=small_circuit(), inputs=inputs(), nonce=NONCE)
DESCRIPTIVE = "ACCEPT"  # the field is the node's own word, and no decision reads it

# path in the signed statement -> code when the node itself, with its own key, signs another value there
MANIFEST = {
    "_type": "affidavit.statement.malformed",
    "subject.0.name": "receipt.malformed",
    "subject.0.digest.sha256": "receipt.malformed",
    "predicateType": "receipt.version.unknown",
    "predicate.version": "receipt.malformed",
    "predicate.nonce": "receipt.context.mismatch",
    "predicate.policy": "receipt.context.mismatch",
    "predicate.context": "receipt.context.mismatch",
    "predicate.receivedAt": DESCRIPTIVE,
    "predicate.completedAt": "receipt.time.invalid",
    "predicate.model.name": DESCRIPTIVE,
    "predicate.model.circuit": "receipt.context.mismatch",
    "predicate.model.weights": "receipt.context.mismatch",
    "predicate.model.file": "model.file.mismatch",
    "predicate.profile": "receipt.context.mismatch",
    "predicate.batch": "request.fit.mismatch",
    "predicate.input": "receipt.context.mismatch",
    "predicate.output": "receipt.malformed",
    "predicate.salted": "receipt.malformed",
    "predicate.trace.root": "trace.root.mismatch",
    "predicate.trace.leaves": "trace.leaves.mismatch",
    "predicate.trace.count": "trace.root.mismatch",
    "predicate.keys.signing": "receipt.signature.invalid",
    "predicate.keys.sealing": "receipt.context.mismatch",
    "predicate.evidence.0.type": "evidence.type.unsupported",
    "predicate.evidence.0.members.statement": "affidavit.blob.unreferenced",
    "predicate.execution.runtime": DESCRIPTIVE,
    "predicate.proof": "receipt.malformed",
    "predicate.fhe": "receipt.malformed",
    "predicate.hops": "receipt.hops.unsupported",
    "predicate.fallback": "receipt.fallback.unsupported",
    "predicate.meta.us_run": DESCRIPTIVE,
}


def _making() -> Making:
    from attestation import simulated

    context = Making().receipt().rebuilt_context().digest
    return Making(evidence=((simulated.TYPE, simulated.SimulatedEvidence().collect(context)),))


def _leaves(value: Any, path: str = "") -> list[str]:
    if isinstance(value, dict) and value:
        return [leaf for key in value for leaf in _leaves(value[key], f"{path}.{key}")]
    if isinstance(value, list) and value:
        return [leaf for i, entry in enumerate(value) for leaf in _leaves(entry, f"{path}.{i}")]
    return [path.removeprefix(".")]


def _edited(statement: dict[str, Any], path: str) -> bytes:
    statement = copy.deepcopy(statement)
    *parents, last = path.split(".")
    here: Any = statement
    for key in parents:
        here = here[int(key)] if key.isdigit() else here[key]
    old = here[last]
    if path.endswith("At"):
        here[last] = "2026-11-21T11:00:00Z"
    elif old is None:
        here[last] = {"system": "later"}
    elif isinstance(old, bool):
        here[last] = not old
    elif isinstance(old, int):
        here[last] = old + 1
    elif len(old) == 64:
        here[last] = ("1" if old[0] == "0" else "0") + old[1:]
    else:
        here[last] = old + "x"
    return json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()


def _file(making: Making, payload: bytes, sign, key) -> bytes:
    class Edited(Making):
        def envelope(self):
            return sign_envelope(payload, public_key=key, sign=sign)

    return Edited(evidence=making.evidence).build()


STATEMENT = json.loads(_making().receipt().statement().encode())
UNSAFE = trusting(assurance=("signed", "attested", "rechecked"), profile="development", unsafe_accept_simulated=True)


def test_every_field_is_in_the_manifest():
    assert sorted(_leaves(STATEMENT)) == sorted(MANIFEST)


def test_unedited_is_accepted():
    assert verify(_making().build(), at=AT, policy=UNSAFE, known=KNOWN).verdict is Verdict.ACCEPT


@pytest.mark.parametrize("path", sorted(MANIFEST))
def test_the_node_itself_lies(path):
    making = _making()
    payload = _edited(STATEMENT, path)
    data = _file(making, payload, NODE.sign, public(NODE))
    result = verify(data, at=AT, policy=UNSAFE, known=KNOWN)
    if MANIFEST[path] is DESCRIPTIVE:
        assert result.verdict is Verdict.ACCEPT
    else:
        assert result.verdict is not Verdict.ACCEPT
        assert result.code == MANIFEST[path]


@pytest.mark.parametrize("path", sorted(MANIFEST))
def test_a_thief_edits(path):
    """Any change without the node's key: the old signature, or a signature of the thief's own."""
    making = _making()
    payload = _edited(STATEMENT, path)
    old = making.envelope().signature
    for sign, key in ((lambda _: old, public(NODE)), (STRANGER.sign, public(STRANGER)), (STRANGER.sign, public(NODE))):
        result = verify(_file(making, payload, sign, key), at=AT, policy=UNSAFE, known=KNOWN)
        assert result.verdict in (Verdict.REJECT, Verdict.MALFORMED)
        assert result.answer is None


def test_every_single_bit_flip_of_the_file_is_refused():
    data = Making(embed_circuit=False).build()
    for bit in range(8 * len(data)):
        mutant = bytearray(data)
        mutant[bit // 8] ^= 1 << (bit % 8)
        result = verify(bytes(mutant), at=AT, policy=trusting(), known=KNOWN)
        assert result.verdict in (Verdict.REJECT, Verdict.MALFORMED)
        assert result.answer is None
