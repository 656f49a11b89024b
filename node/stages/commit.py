# SPDX-License-Identifier: AGPL-3.0-or-later
"""Commit: bind the node to everything that it computed, salted where the request was sealed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from node.inference import Inference
from node.stages.admit import Admitted
from node.stages.run import Executed
from node.stages.unseal import Unsealed
from prover import TraceCommitment, commit_execution
from verifier.tensors import Opening


@dataclass(frozen=True)
class Committed:
    """The trace's commitment, and the output with its own 32-byte commitment."""

    trace: TraceCommitment
    output: Opening
    commitment: bytes
    encoded: bytes


class Commit:
    """See the module."""

    name = "commit"

    def __call__(self, inference: Inference) -> Committed:
        """Raises ``trace.*``, ``affidavit.tensors.malformed``."""
        circuit, tensors = inference[Admitted].circuit, inference[Executed].tensors
        salt = inference[Unsealed].opening.salt
        output = Opening({port.name: tensors[port.tensor] for port in circuit.outputs}, salt)
        encoded = output.encode()
        return Committed(commit_execution(circuit, tensors, salt), output, hashlib.sha256(encoded).digest(), encoded)
