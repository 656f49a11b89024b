# SPDX-License-Identifier: AGPL-3.0-or-later
"""Makes the affidavit vectors: one genuine file, and others with exactly one defect each.

Everything is derived from fixed keys, times and nonces, so the same bytes come out every time. ``manifest.json``
says of each file what a verifier that follows docs/spec/affidavit-v1.md must find.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from attestation.simulated import SimulatedEvidence
from circuits import dump_circuit
from tests.verifier.making import AT, NODE, NONCE, RECHECKER, STRANGER, Making, inputs, public, small_circuit
from verifier.container import read_container, write_container
from verifier.dsse import sign_envelope
from verifier.recheck import RecheckStatement, receipt_digest
from verifier.tensors import commit, encode_tensors

POLICY = f"""format = "policy@v1"
name = "vectors"
profile = "development"
[require]
assurance = ["signed", "attested", "rechecked"]
[request]
nonce = "{NONCE.hex()}"
[keys]
nodes = ["{public(NODE).hex()}"]
recheckers = ["{public(RECHECKER).hex()}"]
[models]
allowed = ["{small_circuit().digest.hex()}"]
[evidence]
unsafe_accept_simulated = true
"""


def honest(**changes: object) -> Making:
    """The genuine one, with simulated evidence over its context."""
    making = replace(Making(), **changes)  # type: ignore[arg-type]
    statement = SimulatedEvidence().collect(making.receipt().context)
    return replace(making, evidence=(("simulated@v1", statement),))


def with_members(change: Callable[[dict[str, bytes]], dict[str, bytes]]) -> bytes:
    """The genuine file with its members changed, in a fresh container."""
    return write_container(change(read_container(honest().build())))


def edited_manifest(old: bytes, new: bytes) -> bytes:
    """The genuine file with a replacement inside manifest.json."""

    def change(members: dict[str, bytes]) -> dict[str, bytes]:
        assert old in members["manifest.json"]
        return {**members, "manifest.json": members["manifest.json"].replace(old, new)}

    return with_members(change)


def edited_blob() -> bytes:
    """The genuine file with one bit of the answer's blob flipped."""

    def change(members: dict[str, bytes]) -> dict[str, bytes]:
        name = "blobs/sha256/" + honest().receipt().output.hex()
        return {**members, name: members[name][:-1] + bytes([members[name][-1] ^ 1])}

    return with_members(change)


def rechecked(agrees: bool) -> bytes:
    """With a rechecker's finding."""
    making = honest()
    statement = RecheckStatement(
        receipt_digest(making.envelope().payload),
        making.receipt().trace.root,
        agrees,
        "reference",
        "2026-11-21T12:00:00Z",
    ).statement()
    envelope = sign_envelope(statement.encode(), public_key=public(RECHECKER), sign=RECHECKER.sign)
    return replace(making, envelopes={"recheck-1": envelope}).build()


def resigned(making: Making) -> bytes:
    """Signed by somebody who does not have the key that the receipt names."""

    class Forged(Making):
        def envelope(self):
            payload = making.receipt().statement().encode()
            return sign_envelope(payload, public_key=public(NODE), sign=STRANGER.sign)

    return Forged(evidence=making.evidence).build()


def vectors() -> dict[str, tuple[str, str, str, bytes]]:
    """Name -> (what, verdict, code, bytes)."""
    zeros = {"y": np.zeros((2, 2), np.int64)}
    genuine = honest().build()
    untraced, silent = replace(honest(), embed_trace=False), replace(honest(), embed_output=False)
    return {
        "genuine": ("nothing is wrong", "ACCEPT", "", genuine),
        "rechecked": ("with a listed rechecker's finding", "ACCEPT", "", rechecked(agrees=True)),
        "truncated": ("the last byte is missing", "MALFORMED", "affidavit.container.truncated", genuine[:-1]),
        "trailing": ("one byte behind the end", "MALFORMED", "affidavit.container.non-canonical", genuine + b"\x00"),
        "prefixed": ("one byte in front", "MALFORMED", "affidavit.container.not-a-container", b"\x00" + genuine),
        "checksum": (
            "a bit of a member is flipped", "MALFORMED", "affidavit.container.checksum",
            genuine[:120] + bytes([genuine[120] ^ 1]) + genuine[121:],
        ),
        "unknown-version": (
            "affidavit@v9", "MALFORMED", "affidavit.version.unknown", edited_manifest(b"affidavit@v1", b"affidavit@v9")
        ),
        "blob-edited": (
            "a bit of the answer is flipped, checksums repaired", "REJECT", "affidavit.member.digest-mismatch",
            edited_blob(),
        ),
        "no-manifest": (
            "manifest.json is missing", "MALFORMED", "affidavit.manifest.missing",
            with_members(lambda members: {n: c for n, c in members.items() if n != "manifest.json"}),
        ),
        "stray-member": (
            "an envelope that the manifest does not list", "MALFORMED", "affidavit.manifest.members-differ",
            with_members(lambda members: {**members, "envelopes/stray.dsse.json": b"{}"}),
        ),
        "signature-forged": (
            "signed with another key", "REJECT", "receipt.signature.invalid", resigned(honest())
        ),
        "stranger": (
            "signed by a node that the policy does not list", "REJECT", "receipt.signer.not-allowed",
            honest(key=STRANGER).build(),
        ),
        "replayed": ("another nonce", "REJECT", "request.nonce.mismatch", honest(nonce=b"\x55" * 32).build()),
        "other-model": (
            "another circuit", "REJECT", "model.circuit.not-allowed", honest(circuit=small_circuit(weight=4)).build()
        ),
        "other-weights-run": (
            "the node ran other weights than it signed", "REJECT", "recheck.trace.mismatch",
            honest(ran=small_circuit(weight=4)).build(),
        ),
        "answer-edited": (
            "another answer is offered than the signed one", "REJECT", "answer.output.mismatch",
            replace(honest(), roles={"output": encode_tensors(zeros)}).build(),
        ),
        "answer-invented": (
            "the signed answer is not the trace's", "REJECT", "trace.output.mismatch",
            replace(honest(), change={"output": commit(zeros)}, roles={"output": encode_tensors(zeros)}).build(),
        ),
        "context-edited": (
            "the context is not that of the fields", "REJECT", "receipt.context.mismatch",
            replace(honest(), change={"context": bytes(32)}).build(),
        ),
        "recheck-disagrees": ("a listed rechecker disagrees", "REJECT", "recheck.disagrees", rechecked(agrees=False)),
        "evidence-of-another-request": (
            "evidence over another context", "REJECT", "evidence.simulated.challenge-mismatch",
            replace(honest(), evidence=(("simulated@v1", SimulatedEvidence().collect(bytes(32))),)).build(),
        ),
        "no-evidence": ("no evidence", "UNVERIFIABLE", "evidence.absent", Making().build()),
        "no-trace": ("no leaves", "UNVERIFIABLE", "trace.leaves.missing", untraced.build()),
        "no-answer": ("no answer", "UNVERIFIABLE", "answer.output.missing", silent.build()),
        "future-evidence": (
            "an unknown evidence type", "UNVERIFIABLE", "evidence.type.unsupported",
            Making(evidence=(("future@v9", {"quote": b"q"}),)).build(),
        ),
    }  # fmt: skip


def generate(folder: Path) -> None:
    """Write every vector, what a verifier needs to know, and the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "policy.toml").write_text(POLICY)
    (folder / "small.circuit").write_bytes(dump_circuit(small_circuit()))
    (folder / "x.tensors").write_bytes(encode_tensors(Making().encoded()))
    listed = []
    for name, (what, verdict, code, data) in vectors().items():
        (folder / f"{name}.affidavit").write_bytes(data)
        listed.append({"name": name, "what": what, "verdict": verdict, "code": code})
    manifest = {"at": AT.isoformat(), "inputs": {"x": inputs()["x"].tolist()}, "vectors": listed}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
