# SPDX-License-Identifier: AGPL-3.0-or-later
"""Commit to an execution: one digest over every tensor that a circuit computed (``affidavit@v1``, section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from circuits import Circuit
from verifier import trace
from verifier.errors import MalformedError
from verifier.tensors import IntArray


@dataclass(frozen=True)
class TraceCommitment:
    """What the receipt names and the affidavit carries.

    Attributes:
        root: Merkle root, 32 bytes.
        leaves: all leaves one behind the other, 32 bytes per tensor.
        count: number of leaves, which is the circuit's number of tensors.
    """

    root: bytes
    leaves: bytes
    count: int


def commit_execution(circuit: Circuit, tensors: Sequence[IntArray], salt: bytes = b"") -> TraceCommitment:
    """Commit to ``tensors``, as :meth:`node.runtime.Runtime.trace` or :func:`circuits.evaluate` return them.

    Args:
        circuit: what was run; gives number and names of the tensors.
        tensors: int64, one per tensor of ``circuit`` in its order, batch as first axis.
        salt: empty (binding only), or 32 random bytes (hiding as well).

    Raises:
        MalformedError: ``trace.leaves.malformed`` when the number of tensors is not the circuit's, or a shape is not
            the circuit's under one common batch size.
    """
    if len(tensors) != len(circuit.tensors):
        raise MalformedError(
            "trace.leaves.malformed", f"{len(tensors)} tensors, the circuit has {len(circuit.tensors)}"
        )
    batches = {array.shape[:1] for array in tensors}
    for tensor, array in zip(circuit.tensors, tensors, strict=True):
        if len(batches) != 1 or array.shape[1:] != tensor.shape:
            raise MalformedError(
                "trace.leaves.malformed",
                f"tensor {tensor.name!r} has shape {array.shape}, the circuit says {tensor.shape} behind one batch",
            )
    leaves = tuple(trace.leaves([tensor.name for tensor in circuit.tensors], tensors, salt))
    return TraceCommitment(trace.root(leaves), b"".join(leaves), len(leaves))
