# SPDX-License-Identifier: AGPL-3.0-or-later
"""Answer: put the affidavit together; seal the output where the input was sealed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from node.errors import MalformedError
from node.inference import Inference
from node.models import ModelStore
from node.sealed import seal_answer
from node.stages.attest import Attested
from node.stages.commit import Committed
from node.stages.prove import Proven
from node.stages.sign import Signed
from node.stages.unseal import Unsealed
from verifier.affidavit import write_affidavit
from verifier.errors import MalformedError as AffidavitMalformedError
from verifier.receipt import Receipt
from verifier.tensors import Opening


@dataclass(frozen=True)
class Answered:
    """What goes back.

    Attributes:
        affidavit: the file.
        receipt: what it states.
        output: the output's opening: integers by output name, with the salt of a sealed request. For whoever runs the
            node in its own process; over the network a sealed request's output leaves only inside ``sealed``. Of an
            encrypted request it is empty: the answer is ciphertext, in the affidavit.
        sealed: the ``sealed-answer@v1`` box; ``None`` for a request in clear.
    """

    affidavit: bytes
    receipt: Receipt
    output: Opening
    sealed: bytes | None


class AnswerStage:
    """See the module."""

    name = "answer"

    def __init__(self, models: ModelStore) -> None:
        self._models = models

    def __call__(self, inference: Inference) -> Answered:
        """Raises ``request.embed.too-large`` when the parts together exceed what an affidavit may hold."""
        request, committed, signed = inference.request, inference[Committed], inference[Signed]
        unsealed = inference[Unsealed]
        roles = {"trace": committed.trace.leaves}
        if not request.sealed:
            roles["output"] = committed.encoded
        if request.embed_input and not request.sealed:
            roles["input"] = unsealed.opening.encode()
        if request.embed_circuit:
            roles["circuit"] = self._models.file(request.model)
        proven = inference[Proven]
        if proven.outline is not None:
            roles["outline"] = proven.outline
        affidavit = assemble(inference, roles, {} if proven.proof is None else {"proof": proven.proof})
        sealed = None
        if unsealed.reply_key is not None:
            sealed = seal_answer(unsealed.reply_key, request.nonce, committed.output)
        return Answered(affidavit, signed.receipt, committed.output, sealed)


def assemble(inference: Inference, roles: Mapping[str, bytes], parts: Mapping[str, bytes]) -> bytes:
    """The affidavit: the signed receipt, its evidence and what else goes with it.

    Raises ``request.embed.too-large`` when the parts together exceed what an affidavit may hold.
    """
    evidence = {
        f"{index}/{name}": part
        for index, piece in enumerate(inference[Attested].evidence)
        for name, part in piece.members.items()
    }
    try:
        return write_affidavit({"receipt": inference[Signed].envelope}, roles, {**evidence, **parts})
    except AffidavitMalformedError as error:
        raise MalformedError(
            "request.embed.too-large", error.message, remedy="embed less, or send a smaller batch"
        ) from None
