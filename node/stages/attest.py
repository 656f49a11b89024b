# SPDX-License-Identifier: AGPL-3.0-or-later
"""Attest: fix what the request is about in one digest; the machine vouches for it before anything runs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from attestation.producers import Producer
from node.evidence import Evidence, collect
from node.inference import Inference
from node.stages.admit import Admitted
from node.stages.frame import Framed
from node.stages.unseal import Unsealed
from verifier.context import Context
from verifier.keys import KeySet
from verifier.receipt import EvidenceClaim
from verifier.tensors import commit


@dataclass(frozen=True)
class Attested:
    """The context, and each piece of evidence over its digest (none where the node has no source)."""

    context: Context
    evidence: tuple[Evidence, ...]

    @property
    def claims(self) -> tuple[EvidenceClaim, ...]:
        """How the receipt names the evidence: every part by SHA-256."""
        return tuple(
            EvidenceClaim(piece.type, {name: hashlib.sha256(part).digest() for name, part in piece.members.items()})
            for piece in self.evidence
        )


class Attest:
    """See the module."""

    name = "attest"

    def __init__(self, keys: KeySet, producer: Producer | None) -> None:
        self._keys, self._producer = keys, producer

    def __call__(self, inference: Inference) -> Attested:
        """Raises ``evidence.*`` where the machine's own evidence cannot be had."""
        request, circuit = inference.request, inference[Admitted].circuit
        context = Context(
            nonce=request.nonce,
            policy=request.policy,
            circuit=circuit.digest,
            weights=circuit.weights_digest,
            profile=circuit.profile,
            input=_input(inference),
            keys=self._keys,
        )
        return Attested(context, collect(self._producer, context.digest))


def _input(inference: Inference) -> bytes:
    """The commitment to the input: to its integers, or to ciphertexts and what they are under."""
    if inference.request.encrypted:
        return inference[Framed].inputs.commitment
    opening = inference[Unsealed].opening
    return commit(opening.tensors, opening.salt)
