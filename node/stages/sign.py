# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sign: the receipt, which names everything by digest, in its envelope."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from node.inference import Inference
from node.keys import NodeKeys
from node.stages.admit import Admitted
from node.stages.attest import Attested
from node.stages.commit import Committed
from node.stages.prove import Proven
from node.stages.unseal import Unsealed
from verifier.dsse import Envelope, sign_envelope
from verifier.encrypted import FheClaim
from verifier.proving import SYSTEM
from verifier.receipt import ModelClaim, ProofClaim, Receipt, TraceClaim


@dataclass(frozen=True)
class Signed:
    """What the node states, as a value and as signed bytes."""

    receipt: Receipt
    envelope: Envelope


class Testimony:
    """What every receipt of this node has, whatever ran.

    Args:
        keys: of the node.
        execution: what ran it, for people (:mod:`node.description`).
        clock: the time now, with a time zone.
    """

    name = "sign"

    def __init__(self, keys: NodeKeys, execution: Mapping[str, str], clock: Callable[[], datetime]) -> None:
        self._keys, self._execution, self._clock = keys, execution, clock

    def sign(
        self,
        inference: Inference,
        *,
        batch: int,
        commitments: tuple[bytes, bytes],
        salted: bool,
        trace: TraceClaim,
        proof: ProofClaim | None = None,
        fhe: FheClaim | None = None,
    ) -> Signed:
        """The receipt of an inference; ``commitments`` are the input's and the output's."""
        request, model, attested = inference.request, inference[Admitted].model, inference[Attested]
        receipt = Receipt(
            nonce=request.nonce,
            policy=request.policy,
            context=attested.context.digest,
            received_at=utc_text(inference.received_at),
            # A clock that was set back meanwhile must not make the receipt contradict itself.
            completed_at=utc_text(max(self._clock(), inference.received_at)),
            model=ModelClaim(model.name, model.digest, model.weights, model.file),
            profile=attested.context.profile,
            batch=batch,
            input=commitments[0],
            output=commitments[1],
            salted=salted,
            trace=trace,
            keys=self._keys.public,
            evidence=attested.claims,
            proof=proof,
            fhe=fhe,
            execution=self._execution,
            meta={f"us_{stage}": duration for stage, duration in inference.durations.items()},
        )
        payload = receipt.statement().encode()
        return Signed(receipt, sign_envelope(payload, public_key=self._keys.public.signing, sign=self._keys.sign))


class Sign(Testimony):
    """Of an execution in clear."""

    def __call__(self, inference: Inference) -> Signed:
        """Never refuses."""
        committed = inference[Committed]
        trace = committed.trace
        return self.sign(
            inference,
            batch=inference[Unsealed].batch,
            commitments=(inference[Attested].context.input, committed.commitment),
            salted=inference.request.sealed,
            trace=TraceClaim(trace.root, hashlib.sha256(trace.leaves).digest(), trace.count),
            proof=_claim(inference[Proven]),
        )


def _claim(proven: Proven) -> ProofClaim | None:
    if proven.proof is None:
        return None
    mode = "held" if proven.weights is None else "committed"
    return ProofClaim(SYSTEM, mode, hashlib.sha256(proven.proof).digest(), len(proven.proof), proven.weights)


def utc_text(time: datetime) -> str:
    """RFC 3339 in UTC with whole seconds."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
