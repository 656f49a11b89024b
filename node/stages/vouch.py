# SPDX-License-Identifier: AGPL-3.0-or-later
"""Vouch: sign the receipt of an encrypted execution, and put its affidavit together."""

from __future__ import annotations

import hashlib

from node.inference import Inference
from node.models import ModelStore
from node.stages.admit import Admitted
from node.stages.answer import Answered, assemble
from node.stages.evaluate import Evaluated
from node.stages.frame import Framed
from node.stages.sign import Signed, Testimony
from verifier.encrypted import LEAVES
from verifier.receipt import TraceClaim
from verifier.tensors import Opening


class VouchEncrypted(Testimony):
    """Sign what ran on ciphertexts."""

    def __call__(self, inference: Inference) -> Signed:
        """The receipt; its input, output and trace follow from the FHE section."""
        claim = inference[Evaluated].claim
        return self.sign(
            inference,
            batch=inference[Framed].plan.interface.samples,
            commitments=(claim.inputs.commitment, claim.answer),
            salted=False,
            trace=TraceClaim(claim.root, hashlib.sha256(b"".join(claim.leaves)).digest(), LEAVES),
            fhe=claim,
        )


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
        affidavit = assemble(inference, roles, {})
        return Answered(affidavit, signed.receipt, Opening({}), None)
