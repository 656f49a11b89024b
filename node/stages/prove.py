# SPDX-License-Identifier: AGPL-3.0-or-later
"""Prove: where it was asked for, a succinct proof that the output is the circuit's on this input."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from circuits import Circuit
from node import limits
from node.errors import MalformedError
from node.inference import Inference
from node.stages.admit import Admitted
from node.stages.attest import Attested
from node.stages.run import Executed
from node.stages.unseal import Unsealed
from verifier.receipt import proof_context

if TYPE_CHECKING:
    from prover import WeightsCommitment
    from prover.cache import WeightsCache
    from verifier.proof.plan import Mode


@dataclass(frozen=True)
class Proven:
    """The proof's bytes; ``None`` where none was asked for.

    Attributes:
        proof: its bytes.
        weights: of a proof about committed weights, the commitment that it speaks of.
        outline: of the same, the circuit without its weights.
    """

    proof: bytes | None
    weights: bytes | None = None
    outline: bytes | None = None


class Prove:
    """See the module. One proof at a time: the kernels use every core.

    Args:
        progress: called with the name of each phase of a proof.
        folder: where set-ups of models (commitments to their weights) are kept; ``None`` keeps none on disk.
    """

    name = "prove"

    def __init__(self, progress: Callable[[str], None] | None = None, folder: Path | None = None) -> None:
        self._progress, self._folder, self._lock = progress, folder, threading.Lock()
        self._cache: WeightsCache | None = None

    def __call__(self, inference: Inference) -> Proven:
        """Raises ``request.prove.too-large``, ``proof.{gate,size}.unsupported``, ``proof.soundness.too-low``."""
        if not inference.request.prove:
            return Proven(None)
        circuit = inference[Admitted].circuit
        from verifier.proof.statement import prepare

        mode: Mode = "committed" if inference.request.committed else "held"
        prepared = prepare(circuit, inference[Unsealed].batch, mode)
        size = prepared.plan.committed + prepared.plan.leaves
        size += prepared.weights.code.length if prepared.weights.code is not None else 0
        if size > limits.MAX_PROOF_SIZE:  # before memory is taken: others wait behind this job
            raise MalformedError(
                "request.prove.too-large",
                f"{size} values to commit and look up, at most {limits.MAX_PROOF_SIZE}",
                remedy="ask for a smaller batch, or leave prove out",
            )
        from prover import prove  # compiled kernels take a while to load, and most requests need none

        attested = inference[Attested]
        with self._lock:
            weights = self._set_up(circuit) if mode == "committed" else None
            proof = prove(
                circuit,
                inference[Unsealed].opening.tensors,
                context=proof_context(attested.context.digest, attested.claims),
                mode=mode,
                tensors=inference[Executed].tensors,
                progress=self._progress,
                weights=weights,
            )
        if weights is None:
            return Proven(proof.bytes)
        from verifier.proof import dump_outline

        return Proven(proof.bytes, weights.root, dump_outline(circuit))

    def _set_up(self, circuit: Circuit) -> WeightsCommitment:
        from prover.cache import WeightsCache

        if self._progress is not None:
            self._progress("set-up")
        if self._cache is None:
            self._cache = WeightsCache(self._folder)
        return self._cache.set_up(circuit).weights
