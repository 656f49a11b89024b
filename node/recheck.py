# SPDX-License-Identifier: AGPL-3.0-or-later
"""A second party recomputes what an affidavit commits to: agreement bit for bit, or the first gate that differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from circuits import Circuit
from node.runtime import Runtime
from verifier import Affidavit, trace
from verifier.errors import RejectedError, UnsupportedError
from verifier.recheck import (
    RecheckStatement,
    Recomputation,
    from_tensors,
    producer_of,
    receipt_digest,
    recompute,
)
from verifier.tensors import IntArray, commit


class Engine(Enum):
    """What recomputes: onnxruntime (fast), or the reference interpreter (slow, and the meaning)."""

    onnxruntime = "onnxruntime"
    reference = "reference"


@dataclass(frozen=True)
class Finding:
    """What recomputing showed.

    Attributes:
        agrees: every tensor, the answer and the input are the committed ones.
        difference: for people: the first operation that differs; empty when all agree.
        recomputation: our own trace and outputs.
        engine: what recomputed.
        receipt: digest of the receipt that was rechecked.
    """

    agrees: bool
    difference: str
    recomputation: Recomputation
    engine: Engine
    receipt: bytes

    def statement(self, rechecked_at: str) -> RecheckStatement:
        """To be signed by the rechecker; ``rechecked_at`` is its own clock, RFC 3339."""
        return RecheckStatement(self.receipt, self.recomputation.root, self.agrees, self.engine.value, rechecked_at)


def recheck(
    affidavit: Affidavit,
    circuit: Circuit,
    inputs: Mapping[str, IntArray],
    salt: bytes = b"",
    engine: Engine = Engine.onnxruntime,
) -> Finding:
    """Recompute and compare.

    Args:
        affidavit: parsed, not necessarily believed.
        circuit: your own copy of the model.
        inputs: integers by input name, batch first (``circuits.encode_inputs``).
        salt: of a private request's commitments; empty otherwise.

    Raises:
        RejectedError: ``model.circuit.mismatch`` or ``request.input.mismatch``: what you hold is not what the
            receipt speaks of, so there is nothing to compare.
        UnsupportedError: ``trace.leaves.missing``.
    """
    receipt = affidavit.receipt
    if circuit.digest != receipt.model.circuit:
        raise RejectedError(
            "model.circuit.mismatch",
            f"the receipt names circuit {receipt.model.circuit.hex()[:16]}, yours is {circuit.digest.hex()[:16]}",
        )
    if commit(inputs, salt) != receipt.input:
        raise RejectedError(
            "request.input.mismatch",
            f"the receipt commits to input {receipt.input.hex()[:16]}, yours gives {commit(inputs, salt).hex()[:16]}",
        )
    blob = affidavit.blob("trace")
    if blob is None:
        raise UnsupportedError("trace.leaves.missing", "the affidavit carries no trace leaves")
    if engine is Engine.reference:
        found = recompute(circuit, inputs, salt)
    else:
        found = from_tensors(circuit, Runtime(circuit, tracing=True).trace(dict(inputs)), salt)
    difference = _difference(affidavit, circuit, found, trace.split_leaves(blob), salt)
    return Finding(not difference, difference, found, engine, receipt_digest(affidavit.receipt_envelope.payload))


def _difference(
    affidavit: Affidavit, circuit: Circuit, found: Recomputation, claimed: tuple[bytes, ...], salt: bytes
) -> str:
    receipt = affidavit.receipt
    index = trace.first_difference(claimed, found.leaves)
    if index is not None:
        return f"first difference: {producer_of(circuit, index)}"
    if found.root != receipt.trace.root:
        return "the leaves in the file agree, the signed root does not"
    if commit(found.outputs, salt) != receipt.output:
        return "every operation agrees, the signed answer does not"
    return ""
