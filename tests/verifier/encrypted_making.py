# SPDX-License-Identifier: AGPL-3.0-or-later
"""Affidavits of executions on ciphertexts, from parts. The core reads digests alone, so any bytes are ciphertexts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from circuits import Circuit, CircuitBuilder, dump_circuit
from verifier import write_affidavit
from verifier.dsse import Envelope, sign_envelope
from verifier.encrypted import NO_SEED, PRESETS, EncryptedRequest, FheClaim, encrypted_gates
from verifier.keys import KeySet
from verifier.policy import Policy
from verifier.receipt import ModelClaim, Receipt, TraceClaim
from verifier.recheck import RecheckStatement, receipt_digest

from .making import NODE, NONCE, RECHECKER, SEALING, public

REQUEST, KEYS, ANSWER = b"request in ciphertext", b"evaluation keys", b"answer in ciphertext"


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def square_circuit() -> Circuit:
    """dense 4 -> 3, square, dense 3 -> 2: what runs encrypted."""
    builder = CircuitBuilder(source={"sha256": "00" * 32, "compiler": "test"})
    x = builder.input("x", (4,), 0, 15, dtype="float32", scale=1 / 15)
    w1 = builder.constant("w1", np.array([[3, -1, 2], [1, 1, -2], [0, 5, 1], [-1, 2, 2]]))
    b1 = builder.constant("b1", np.array([4, 4, 4]))
    h = builder.gate("dense", "hidden", [x], [w1, b1])
    h = builder.gate("mul", "square", [h, h])
    w2 = builder.constant("w2", np.array([[1, -1], [2, 1], [-1, 3]]))
    b2 = builder.constant("b2", np.array([0, 1]))
    builder.output("y", builder.gate("dense", "logits", [h], [w2, b2]), dtype="float32", scale=0.125)
    return builder.build()


SENT = EncryptedRequest(sha(b"interface"), sha(KEYS), sha(REQUEST))


@dataclass(frozen=True)
class EncryptedMaking:
    """One affidavit before it becomes bytes. ``section`` and ``change`` replace fields of section and receipt."""

    circuit: Circuit = field(default_factory=square_circuit)
    last: int = 3
    sent: EncryptedRequest = SENT
    answer: bytes = ANSWER
    key: Ed25519PrivateKey = NODE
    nonce: bytes = NONCE
    section: Mapping[str, Any] = field(default_factory=dict)
    change: Mapping[str, Any] = field(default_factory=dict)
    roles: Mapping[str, bytes] = field(default_factory=lambda: {"output": ANSWER, "input": REQUEST, "keys": KEYS})
    agrees: bool | None = None
    """What a rechecker whom policies list found, if anything."""

    def claim(self) -> FheClaim:
        scheme, parameters = PRESETS["lin8"]
        gates = encrypted_gates(self.circuit, 0, self.last)
        claim = FheClaim(
            scheme,
            "lin8",
            bytes.fromhex(parameters),
            "coefficient",
            0,
            self.last,
            (7,),
            gates,
            self.sent,
            sha(self.answer),
        )
        return replace(claim, **self.section)

    def receipt(self) -> Receipt:
        claim = self.claim()
        receipt = Receipt(
            nonce=self.nonce,
            policy=bytes(32),
            context=bytes(32),
            received_at="2026-11-21T11:59:58Z",
            completed_at="2026-11-21T11:59:59Z",
            model=ModelClaim(
                "small", self.circuit.digest, self.circuit.weights_digest, sha(dump_circuit(self.circuit))
            ),
            profile=self.circuit.profile,
            batch=1,
            input=claim.inputs.commitment,
            output=claim.answer,
            salted=False,
            trace=TraceClaim(claim.root, sha(b"".join(claim.leaves)), 2),
            keys=KeySet(public(self.key), SEALING),
            fhe=claim,
        )
        receipt = replace(receipt, **self.change)
        return replace(receipt, context=receipt.rebuilt_context().digest)

    def envelope(self) -> Envelope:
        return sign_envelope(self.receipt().statement().encode(), public_key=public(self.key), sign=self.key.sign)

    def build(self) -> bytes:
        envelope = self.envelope()
        envelopes = {"receipt": envelope}
        if self.agrees is not None:
            root = self.claim().root if self.agrees else bytes(32)
            found = RecheckStatement(
                receipt_digest(envelope.payload), root, self.agrees, "test", "2026-11-21T12:00:00Z"
            )
            payload = found.statement().encode()
            envelopes["recheck-1"] = sign_envelope(payload, public_key=public(RECHECKER), sign=RECHECKER.sign)
        return write_affidavit(envelopes, dict(self.roles))


def demanding(*assurance: str) -> Policy:
    """A policy that lists the node and the rechecker."""
    return Policy(
        name="test",
        assurance=assurance or ("signed", "private"),
        nodes=frozenset({public(NODE)}),
        recheckers=frozenset({public(RECHECKER)}),
    )


def seeded() -> EncryptedRequest:
    """The same request, answered with protected replies."""
    return replace(SENT, seed=sha(b"seed"))


assert SENT.seed == NO_SEED
