# SPDX-License-Identifier: AGPL-3.0-or-later
"""Evaluate: the circuit on ciphertexts, in a sandboxed process. Nothing is decrypted, and nothing here could be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from node.inference import Inference
from node.stages.frame import Framed
from verifier.encrypted import FheClaim

if TYPE_CHECKING:
    from fhe.pool import EvaluationPool


@dataclass(frozen=True)
class Evaluated:
    """The answer in ciphertext, and what the receipt says of the execution."""

    ciphertexts: bytes
    claim: FheClaim


class Evaluate:
    """See the module. ``pool`` gives the workers, which start on first use."""

    name = "evaluate"

    def __init__(self, pool: Callable[[], EvaluationPool]) -> None:
        self._pool = pool

    def __call__(self, inference: Inference) -> Evaluated:
        """Raises ``fhe.ciphertext.*``, ``fhe.keys.*``, ``fhe.request.mismatch``, ``fhe.worker.*``, ..."""
        framed = inference[Framed]
        answer = self._pool().evaluate(framed.plan, framed.request, framed.keys, seed=framed.seed)
        return Evaluated(answer.ciphertexts, framed.claim(answer.answer_digest))
