# SPDX-License-Identifier: AGPL-3.0-or-later
"""Affidavits made from parts, honest and dishonest, with fixed keys, so that every byte is reproducible."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from circuits import Circuit, CircuitBuilder, dump_circuit, encode_inputs, evaluate
from tests.circuits.small import small_layers
from verifier import write_affidavit
from verifier.context import Context
from verifier.dsse import Envelope, sign_envelope
from verifier.keys import KeySet
from verifier.policy import Policy
from verifier.proof.outline import dump_outline
from verifier.proof.plan import Mode
from verifier.receipt import EvidenceClaim, ModelClaim, ProofClaim, Receipt, TraceClaim, proof_context
from verifier.tensors import commit, encode_tensors
from verifier.trace import leaves, root

AT = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
NONCE = bytes(range(32))
NODE = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
STRANGER = Ed25519PrivateKey.from_private_bytes(b"\x02" * 32)
RECHECKER = Ed25519PrivateKey.from_private_bytes(b"\x03" * 32)
SEALING = bytes.fromhex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def small_circuit(*, weight: int = 3) -> Circuit:
    """dense 4 -> 3, requantised, dense 3 -> 2: the smallest thing with a middle."""
    builder = CircuitBuilder(source={"sha256": "00" * 32, "compiler": "test"})
    x = builder.input("x", (4,), 0, 255, dtype="float32", scale=1 / 255)
    return small_layers(builder, x, weight)


def inputs(seed: int = 7, batch: int = 2) -> dict[str, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(seed)
    return {"x": rng.integers(0, 256, (batch, 4)).astype(np.float32) / np.float32(255)}


@dataclass(frozen=True)
class Making:
    """One affidavit before it becomes bytes; tests replace what they want to be wrong.

    ``ran`` is the circuit that the node really runs, ``circuit`` the one that it claims.
    """

    circuit: Circuit = field(default_factory=small_circuit)
    ran: Circuit | None = None
    inputs: Mapping[str, np.ndarray[Any, Any]] = field(default_factory=inputs)
    key: Ed25519PrivateKey = NODE
    nonce: bytes = NONCE
    policy: bytes = bytes(32)
    salt: bytes = b""
    evidence: tuple[tuple[str, Mapping[str, bytes]], ...] = ()
    embed_circuit: bool = True
    embed_input: bool = True
    embed_output: bool = True
    embed_trace: bool = True
    embed_proof: bool = True
    embed_outline: bool = True
    prove: bool = False
    committed: bool = False
    proof: bytes | None = None
    change: Mapping[str, Any] = field(default_factory=dict)
    roles: Mapping[str, bytes] = field(default_factory=dict)
    envelopes: Mapping[str, Envelope] = field(default_factory=dict)

    def tensors(self) -> list[np.ndarray[Any, Any]]:
        return evaluate(self.ran or self.circuit, self.encoded())

    def encoded(self) -> dict[str, np.ndarray[Any, Any]]:
        return encode_inputs(self.circuit, self.inputs)

    def outputs(self) -> dict[str, np.ndarray[Any, Any]]:
        tensors = self.tensors()
        return {port.name: tensors[port.tensor] for port in self.circuit.outputs}

    def leaf_blob(self) -> bytes:
        names = [tensor.name for tensor in self.circuit.tensors]
        return b"".join(leaves(names, self.tensors(), self.salt))

    def receipt(self) -> Receipt:
        blob = self.leaf_blob()
        digests = [blob[i : i + 32] for i in range(0, len(blob), 32)]
        keys = KeySet(public(self.key), SEALING)
        claimed_input = commit(self.encoded(), self.salt)
        receipt = Receipt(
            nonce=self.nonce,
            policy=self.policy,
            context=bytes(32),
            received_at="2026-11-21T11:59:58Z",
            completed_at="2026-11-21T11:59:59Z",
            model=ModelClaim(
                "small",
                self.circuit.digest,
                self.circuit.weights_digest,
                hashlib.sha256(dump_circuit(self.circuit)).digest(),
            ),
            profile=self.circuit.profile,
            batch=len(next(iter(self.inputs.values()))),
            input=claimed_input,
            output=commit(self.outputs(), self.salt),
            salted=bool(self.salt),
            trace=TraceClaim(root(digests), hashlib.sha256(blob).digest(), len(digests)),
            keys=keys,
            evidence=tuple(
                EvidenceClaim(kind, {name: hashlib.sha256(part).digest() for name, part in parts.items()})
                for kind, parts in self.evidence
            ),
            execution={"runtime": "test"},
            meta={"us_run": 12},
        )
        receipt = replace(receipt, context=self.context(receipt).digest)
        if self.prove or self.proof is not None:
            made = self.proof if self.proof is not None else self.made_proof(receipt)
            mode, weights = ("committed", self.commitment()) if self.committed else ("held", None)
            claim = ProofClaim("proof@v1", mode, hashlib.sha256(made).digest(), len(made), weights)
            receipt = replace(receipt, proof=claim)
        return replace(receipt, **self.change)

    def made_proof(self, receipt: Receipt) -> bytes:
        from prover import prove

        bound = proof_context(receipt.context, receipt.evidence)
        mode: Mode = "committed" if self.committed else "held"
        return prove(self.circuit, self.encoded(), context=bound, mode=mode).bytes

    def commitment(self) -> bytes:
        """The commitment to the weights that the receipt names."""
        from prover import commit_weights

        return commit_weights(self.circuit).root

    def context(self, receipt: Receipt) -> Context:
        return receipt.rebuilt_context()

    def envelope(self) -> Envelope:
        return sign_envelope(self.receipt().statement().encode(), public_key=public(self.key), sign=self.key.sign)

    def blobs(self) -> dict[str, bytes]:
        roles: dict[str, bytes] = {}
        if self.embed_circuit:
            roles["circuit"] = dump_circuit(self.circuit)
        if self.embed_input:
            roles["input"] = encode_tensors(self.encoded(), self.salt)
        if self.embed_output:
            roles["output"] = encode_tensors(self.outputs(), self.salt)
        if self.embed_trace:
            roles["trace"] = self.leaf_blob()
        if self.committed and self.embed_outline:
            roles["outline"] = dump_outline(self.circuit)
        return {**roles, **self.roles}

    def attachments(self) -> dict[str, bytes]:
        parts = {f"{i}/{name}": part for i, (_, parts) in enumerate(self.evidence) for name, part in parts.items()}
        if self.embed_proof and (self.prove or self.proof is not None):
            unproved = replace(self, prove=False, proof=None).receipt()
            parts["proof"] = self.proof if self.proof is not None else self.made_proof(unproved)
        return parts

    def build(self) -> bytes:
        return write_affidavit({"receipt": self.envelope(), **self.envelopes}, self.blobs(), self.attachments())


def trusting(**changes: Any) -> Policy:
    """A policy that trusts the test node's key and demands signature and recheck."""
    base = Policy(name="test", assurance=("signed", "rechecked"), nodes=frozenset({public(NODE)}))
    return replace(base, **changes)
