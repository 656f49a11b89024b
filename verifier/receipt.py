# SPDX-License-Identifier: AGPL-3.0-or-later
"""The node's receipt: the predicate it signs about one inference (``affidavit@v1``, section 3).

Everything is named by digest. Whatever the node says of itself (times, runtime, device, ``meta``) is
descriptive unless evidence covers it, and no decision reads it.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from verifier.context import Context
from verifier.encrypted import LEAVES, FheClaim, parse_fhe
from verifier.fields import Fields
from verifier.keys import KeySet
from verifier.statement import Statement

RECEIPT_TYPE = "urn:affidavit:receipt:v1"
CODE = "receipt.malformed"
MAX_EVIDENCE = 8
MAX_EVIDENCE_MEMBERS = 64
MAX_DESCRIPTIONS = 32
MAX_BATCH = 1 << 20


@dataclass(frozen=True)
class ModelClaim:
    """Which model: its name for people, and what counts: digests of circuit, weights and circuit file."""

    name: str
    circuit: bytes
    weights: bytes
    file: bytes


@dataclass(frozen=True)
class TraceClaim:
    """Commitment to every tensor of the execution: Merkle root, blob with all leaves, their number."""

    root: bytes
    leaves: bytes
    count: int


@dataclass(frozen=True)
class ProofClaim:
    """A proof that the output is the circuit's on the input.

    Attributes:
        system: name and version of the protocol (``proof@v1``).
        mode: ``held`` or ``committed``: how its verifier knows the weights.
        digest: SHA-256 of the proof's bytes.
        size: their number.
        weights: in mode ``committed`` the commitment to the weights that the proof speaks of, 32 bytes; else ``None``.
            The node's word: it is compared with one that the verifier trusts, and never trusted itself.
    """

    system: str
    mode: str
    digest: bytes
    size: int
    weights: bytes | None = None

    def as_json(self) -> dict[str, str | int]:
        """The receipt's section; without ``weights`` where there is no commitment."""
        found: dict[str, str | int] = {
            "system": self.system,
            "mode": self.mode,
            "digest": self.digest.hex(),
            "size": self.size,
        }
        return found if self.weights is None else {**found, "weights": self.weights.hex()}


@dataclass(frozen=True)
class EvidenceClaim:
    """One piece of evidence: its format, and SHA-256 of each of its native parts."""

    type: str
    members: Mapping[str, bytes]


@dataclass(frozen=True)
class Receipt:
    """One inference, as its node states it.

    Attributes:
        nonce, policy: of the request (32 bytes each; a policy of zeros means that none was named).
        context: digest over the request's fixed part, see :mod:`verifier.context`.
        received_at, completed_at: the node's own clock, RFC 3339.
        model, profile: what was run, under which integer semantics.
        batch: number of samples.
        input, output: commitments (:mod:`verifier.tensors`).
        salted: whether both commitments hide (32-byte salt, known to the client alone).
        trace: commitment to the execution.
        keys: the node's public keys.
        evidence: what the machine says of itself, bound to ``context``.
        execution: runtime, versions, device: descriptive.
        proof: which proof goes with it, if any; its transcript absorbs :func:`proof_context` first.
        fhe: of an execution on ciphertexts, what ran and on what (:mod:`verifier.encrypted`); ``input``, ``output`` and
            ``trace`` then follow from it, and there is neither salt nor proof.
        extensions: sections of later versions (``hops``, ``fallback``) that are present here and that
            this verifier cannot check; it says so and never passes them.
        meta: durations and the like; read by nobody.
    """

    nonce: bytes
    policy: bytes
    context: bytes
    received_at: str
    completed_at: str
    model: ModelClaim
    profile: str
    batch: int
    input: bytes
    output: bytes
    salted: bool
    trace: TraceClaim
    keys: KeySet
    evidence: tuple[EvidenceClaim, ...] = ()
    proof: ProofClaim | None = None
    fhe: FheClaim | None = None
    execution: Mapping[str, str] = field(default_factory=dict)
    extensions: tuple[str, ...] = ()
    meta: Mapping[str, int | str] = field(default_factory=dict)

    def rebuilt_context(self) -> Context:
        """The context that the receipt's own fields imply."""
        return Context(
            self.nonce,
            self.policy,
            self.model.circuit,
            self.model.weights,
            self.profile,
            self.input,
            self.keys,
        )

    def statement(self) -> Statement:
        """The statement that the node signs. ``extensions`` cannot be written by this version."""
        predicate = {
            "version": 1,
            "nonce": self.nonce.hex(),
            "policy": self.policy.hex(),
            "context": self.context.hex(),
            "receivedAt": self.received_at,
            "completedAt": self.completed_at,
            "model": {
                "name": self.model.name,
                "circuit": self.model.circuit.hex(),
                "weights": self.model.weights.hex(),
                "file": self.model.file.hex(),
            },
            "profile": self.profile,
            "batch": self.batch,
            "input": self.input.hex(),
            "output": self.output.hex(),
            "salted": self.salted,
            "trace": {
                "root": self.trace.root.hex(),
                "leaves": self.trace.leaves.hex(),
                "count": self.trace.count,
            },
            "keys": {"signing": self.keys.signing.hex(), "sealing": self.keys.sealing.hex()},
            "evidence": [
                {"type": item.type, "members": {name: digest.hex() for name, digest in item.members.items()}}
                for item in self.evidence
            ],
            "execution": dict(self.execution),
            "proof": None if self.proof is None else self.proof.as_json(),
            "fhe": None if self.fhe is None else self.fhe.as_json(),
            "hops": None,
            "fallback": None,
            "meta": dict(self.meta),
        }
        return Statement("output", self.output, RECEIPT_TYPE, predicate)


_EXTENSIONS = ("hops", "fallback")
PROOF_CONTEXT_LABEL = b"affidavit/proof-context@v1\x00"
_KEYS = {
    "version",
    "nonce",
    "policy",
    "context",
    "receivedAt",
    "completedAt",
    "model",
    "profile",
    "batch",
    "input",
    "output",
    "salted",
    "trace",
    "keys",
    "evidence",
    "proof",
    "fhe",
    "execution",
    "meta",
    *_EXTENSIONS,
}


def _descriptions(fields: Fields) -> dict[str, str]:
    if len(fields.value) > MAX_DESCRIPTIONS:
        raise fields.fail("", f"at most {MAX_DESCRIPTIONS} entries")
    return {key: fields.text(key) for key in fields.value}


def _evidence(value: Any, path: str) -> EvidenceClaim:
    fields = Fields.of(value, path, CODE)
    fields.exactly({"type", "members"})
    members = fields.object("members")
    if not 0 < len(members.value) <= MAX_EVIDENCE_MEMBERS:
        raise fields.fail("members", f"1 to {MAX_EVIDENCE_MEMBERS} members")
    return EvidenceClaim(fields.identifier("type"), {name: members.digest(name) for name in members.value})


def _proof(fields: Fields) -> ProofClaim:
    mode = fields.identifier("mode")
    committed = mode == "committed"
    fields.exactly({"system", "mode", "digest", "size", *(["weights"] if committed else [])})
    return ProofClaim(
        fields.identifier("system"),
        mode,
        fields.digest("digest"),
        fields.integer("size", 1, 1 << 28),
        fields.digest("weights") if committed else None,
    )


def proof_context(context: bytes, evidence: Sequence[EvidenceClaim]) -> bytes:
    """What a proof's transcript absorbs first: the request's context and every digest of the evidence.

    ``SHA-256(label || context || piece*)`` with ``piece = u32 len || type || u32 n || (u32 len || name || digest)*``,
    the label being ``"affidavit/proof-context@v1" || 0x00`` and members in the order of their names. So a
    proof belongs to one request and to one machine's evidence for it.
    """
    hasher = hashlib.sha256(PROOF_CONTEXT_LABEL + context)
    for item in evidence:
        kind = item.type.encode()
        hasher.update(struct.pack("<I", len(kind)) + kind + struct.pack("<I", len(item.members)))
        for name in sorted(item.members):
            raw = name.encode()
            hasher.update(struct.pack("<I", len(raw)) + raw + item.members[name])
    return hasher.digest()


def _meta(fields: Fields) -> dict[str, int | str]:
    if len(fields.value) > MAX_DESCRIPTIONS:
        raise fields.fail("", f"at most {MAX_DESCRIPTIONS} entries")
    return {
        key: fields.text(key) if isinstance(value, str) else fields.integer(key, 0, (1 << 53) - 1)
        for key, value in fields.value.items()
    }


def parse_receipt(statement: Statement) -> Receipt:
    """Read a receipt out of a statement whose predicate type is :data:`RECEIPT_TYPE`."""
    fields = Fields.of(statement.predicate, "predicate", CODE)
    version = fields.integer("version", 1, 1 << 31)
    if version != 1:
        raise fields.fail("version", "version 1")
    fields.exactly(_KEYS)
    model, trace, keys = fields.object("model"), fields.object("trace"), fields.object("keys")
    model.exactly({"name", "circuit", "weights", "file"})
    trace.exactly({"root", "leaves", "count"})
    keys.exactly({"signing", "sealing"})
    receipt = Receipt(
        nonce=fields.digest("nonce"),
        policy=fields.digest("policy"),
        context=fields.digest("context"),
        received_at=fields.time("receivedAt"),
        completed_at=fields.time("completedAt"),
        model=ModelClaim(model.text("name"), model.digest("circuit"), model.digest("weights"), model.digest("file")),
        profile=fields.identifier("profile"),
        batch=fields.integer("batch", 1, MAX_BATCH),
        input=fields.digest("input"),
        output=fields.digest("output"),
        salted=fields.boolean("salted"),
        trace=TraceClaim(trace.digest("root"), trace.digest("leaves"), trace.integer("count", 1, 1 << 16)),
        keys=KeySet(keys.digest("signing"), keys.digest("sealing")),
        evidence=fields.list("evidence", _evidence, limit=MAX_EVIDENCE),
        proof=None if fields.value["proof"] is None else _proof(fields.object("proof")),
        fhe=None if fields.value["fhe"] is None else parse_fhe(fields.object("fhe")),
        execution=_descriptions(fields.object("execution")),
        extensions=tuple(name for name in _EXTENSIONS if fields.value[name] is not None),
        meta=_meta(fields.object("meta")),
    )
    if statement.subject_name != "output" or statement.subject != receipt.output:
        raise Fields(statement.predicate, "predicate", CODE).fail("output", "the subject's digest")
    if receipt.fhe is not None and (receipt.salted or receipt.proof is not None or receipt.trace.count != LEAVES):
        raise Fields(statement.predicate, "predicate", CODE).fail("fhe", "no salt, no proof, and a trace of two leaves")
    return receipt
