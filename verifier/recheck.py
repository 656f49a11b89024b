# SPDX-License-Identifier: AGPL-3.0-or-later
"""A second party's recomputation, and the statement in which it signs what it found.

``predicate = {version, receipt, trace, agrees, engine, recheckedAt}``: ``receipt`` is the SHA-256 of the
receipt envelope's payload, ``trace`` the root that the rechecker itself computed. Only a policy that lists the
rechecker's key gives such a statement any weight.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from circuits import Circuit, evaluate
from verifier import trace
from verifier.fields import Fields
from verifier.statement import Statement
from verifier.tensors import IntArray

RECHECK_TYPE = "urn:affidavit:recheck:v1"
CODE = "recheck.statement.malformed"


@dataclass(frozen=True)
class Recomputation:
    """What recomputing gave.

    Attributes:
        root: Merkle root of the recomputed trace.
        leaves: its leaves, one per tensor of the circuit.
        outputs: the output tensors, int64, by port name.
    """

    root: bytes
    leaves: tuple[bytes, ...]
    outputs: Mapping[str, IntArray]


@dataclass(frozen=True)
class RecheckStatement:
    """A rechecker's signed finding; digests are 32 bytes."""

    receipt: bytes
    trace: bytes
    agrees: bool
    engine: str
    rechecked_at: str

    def statement(self) -> Statement:
        return Statement(
            "receipt",
            self.receipt,
            RECHECK_TYPE,
            {
                "version": 1,
                "receipt": self.receipt.hex(),
                "trace": self.trace.hex(),
                "agrees": self.agrees,
                "engine": self.engine,
                "recheckedAt": self.rechecked_at,
            },
        )


def parse_recheck(statement: Statement) -> RecheckStatement:
    """Read a recheck statement; its subject is the receipt it speaks of."""
    fields = Fields.of(statement.predicate, "predicate", CODE)
    fields.exactly({"version", "receipt", "trace", "agrees", "engine", "recheckedAt"})
    fields.integer("version", 1, 1)
    found = RecheckStatement(
        fields.digest("receipt"),
        fields.digest("trace"),
        fields.boolean("agrees"),
        fields.text("engine"),
        fields.time("recheckedAt"),
    )
    if statement.subject_name != "receipt" or statement.subject != found.receipt:
        raise fields.fail("receipt", "the subject's digest")
    return found


def receipt_digest(payload: bytes) -> bytes:
    """How a recheck names the receipt: SHA-256 of the signed payload bytes."""
    return hashlib.sha256(payload).digest()


def from_tensors(circuit: Circuit, tensors: Sequence[IntArray], salt: bytes) -> Recomputation:
    """Commit to tensors that some engine computed, one per tensor of ``circuit``, batch first."""
    names = [tensor.name for tensor in circuit.tensors]
    leaves = tuple(trace.leaves(names, tensors, salt))
    outputs = {port.name: tensors[port.tensor] for port in circuit.outputs}
    return Recomputation(trace.root(leaves), leaves, outputs)


def recompute(circuit: Circuit, inputs: Mapping[str, IntArray], salt: bytes) -> Recomputation:
    """Run the reference interpreter: slow, exact, and the meaning of the circuit."""
    return from_tensors(circuit, evaluate(circuit, inputs), salt)


def producer_of(circuit: Circuit, tensor: int) -> str:
    """Who computed a tensor, for people: gate name and kind, or the input's name."""
    for gate in circuit.gates:
        if gate.output == tensor:
            return f"{gate.kind} {gate.name!r} (tensor {tensor})"
    return f"input {circuit.tensors[tensor].name!r} (tensor {tensor})" if tensor < len(circuit.tensors) else "nothing"
