# SPDX-License-Identifier: AGPL-3.0-or-later
"""Prove: where it was asked for, a succinct proof that the output is the circuit's on this input."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from node import limits
from node.errors import MalformedError
from node.inference import Inference
from node.stages.admit import Admitted
from node.stages.attest import Attested
from node.stages.run import Executed
from node.stages.unseal import Unsealed
from verifier.receipt import proof_context


@dataclass(frozen=True)
class Proven:
    """The proof's bytes; ``None`` where none was asked for."""

    proof: bytes | None


class Prove:
    """See the module. One proof at a time: the kernels use every core.

    Args:
        progress: called with the name of each phase of a proof.
    """

    name = "prove"

    def __init__(self, progress: Callable[[str], None] | None = None) -> None:
        self._progress, self._lock = progress, threading.Lock()

    def __call__(self, inference: Inference) -> Proven:
        """Raises ``request.prove.too-large``, ``proof.{gate,size}.unsupported``, ``proof.soundness.too-low``."""
        if not inference.request.prove:
            return Proven(None)
        circuit = inference[Admitted].circuit
        from verifier.proof.statement import prepare

        plan = prepare(circuit, inference[Unsealed].batch).plan
        if plan.committed + plan.leaves > limits.MAX_PROOF_SIZE:  # before memory is taken: others wait behind this job
            raise MalformedError(
                "request.prove.too-large",
                f"{plan.committed + plan.leaves} values to commit and look up, at most {limits.MAX_PROOF_SIZE}",
                remedy="ask for a smaller batch, or leave prove out",
            )
        from prover import prove  # compiled kernels take a while to load, and most requests need none

        attested = inference[Attested]
        with self._lock:
            proof = prove(
                circuit,
                inference[Unsealed].opening.tensors,
                context=proof_context(attested.context.digest, attested.claims),
                tensors=inference[Executed].tensors,
                progress=self._progress,
            )
        return Proven(proof.bytes)
