# SPDX-License-Identifier: AGPL-3.0-or-later
"""Vouch: sign the receipt of an encrypted execution, and put its affidavit together."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime

from node.errors import MalformedError
from node.inference import Inference
from node.keys import NodeKeys
from node.models import ModelStore
from node.stages.admit import Admitted
from node.stages.answer import Answered
from node.stages.attest import Attested
from node.stages.evaluate import Evaluated
from node.stages.frame import Framed
from node.stages.sign import Signed, utc_text
from verifier.affidavit import write_affidavit
from verifier.dsse import sign_envelope
from verifier.encrypted import LEAVES
from verifier.errors import MalformedError as AffidavitMalformedError
from verifier.receipt import ModelClaim, Receipt, TraceClaim
from verifier.tensors import Opening


class VouchEncrypted:
    """Sign what ran on ciphertexts.

    Args:
        keys: of the node.
        execution: what ran it, for people (:mod:`node.description`).
        clock: the time now, with a time zone.
    """

    name = "sign"

    def __init__(self, keys: NodeKeys, execution: Mapping[str, str], clock: Callable[[], datetime]) -> None:
        self._keys, self._execution, self._clock = keys, execution, clock

    def __call__(self, inference: Inference) -> Signed:
        """The receipt; its input, output and trace follow from the FHE section."""
        request, model, attested = inference.request, inference[Admitted].model, inference[Attested]
        claim = inference[Evaluated].claim
        receipt = Receipt(
            nonce=request.nonce,
            policy=request.policy,
            context=attested.context.digest,
            received_at=utc_text(inference.received_at),
            completed_at=utc_text(max(self._clock(), inference.received_at)),
            model=ModelClaim(model.name, model.digest, model.weights, model.file),
            profile=attested.context.profile,
            batch=inference[Framed].plan.interface.samples,
            input=claim.inputs.commitment,
            output=claim.answer,
            salted=False,
            trace=TraceClaim(claim.root, hashlib.sha256(b"".join(claim.leaves)).digest(), LEAVES),
            keys=self._keys.public,
            evidence=attested.claims,
            fhe=claim,
            execution=self._execution,
            meta={f"us_{stage}": duration for stage, duration in inference.durations.items()},
        )
        payload = receipt.statement().encode()
        return Signed(receipt, sign_envelope(payload, public_key=self._keys.public.signing, sign=self._keys.sign))


class AnswerEncrypted:
    """Put the file together: the answer's ciphertexts always; request and keys where an auditor is to find them."""

    name = "answer"

    def __init__(self, models: ModelStore) -> None:
        self._models = models

    def __call__(self, inference: Inference) -> Answered:
        """Raises ``request.embed.too-large`` when the parts together exceed what an affidavit may hold."""
        from verifier.proof import dump_outline  # loads compiled kernels, which takes a while

        request, framed, signed = inference.request, inference[Framed], inference[Signed]
        roles = {"output": inference[Evaluated].ciphertexts}
        if request.embed_input:
            roles |= {"input": framed.request, "keys": framed.keys}
        if framed.plan.private:  # the client need not have the weights, and verifies without them
            roles["outline"] = dump_outline(inference[Admitted].circuit)
        if request.embed_circuit:
            roles["circuit"] = self._models.file(request.model)
        parts = {
            f"{index}/{name}": part
            for index, piece in enumerate(inference[Attested].evidence)
            for name, part in piece.members.items()
        }
        try:
            affidavit = write_affidavit({"receipt": signed.envelope}, roles, parts)
        except AffidavitMalformedError as error:
            raise MalformedError(
                "request.embed.too-large", error.message, remedy="embed less, or send a smaller batch"
            ) from None
        return Answered(affidavit, signed.receipt, Opening({}), None)
