# SPDX-License-Identifier: AGPL-3.0-or-later
"""Unseal: whatever form the input came in, afterwards it is integers that fit the circuit's signature."""

from __future__ import annotations

from dataclasses import dataclass

from circuits import Circuit, encode_inputs
from circuits.signature import check_integers
from node.errors import MalformedError, OperationalError
from node.inference import Inference
from node.keys import NodeKeys
from node.limits import MAX_TRACE_ELEMENTS
from node.listed import to_arrays
from node.request import EncodedInput, EncryptedReference, ListedInput, RealInput, Request, SealedInputBox
from node.sealed import unseal_input
from node.stages.admit import Admitted
from verifier.receipt import MAX_BATCH
from verifier.tensors import Opening


@dataclass(frozen=True)
class Unsealed:
    """The input.

    Attributes:
        opening: int64 by input name, batch first; salted exactly when the request was sealed.
        batch: number of samples.
        reply_key: 32-byte X25519 key for the answer; ``None`` when the request was not sealed.
    """

    opening: Opening
    batch: int
    reply_key: bytes | None = None


class Unseal:
    """See the module.

    Args:
        keys: of the node.
        max_elements: bound on the elements of all tensors of one execution together.
    """

    name = "unseal"

    def __init__(self, keys: NodeKeys, *, max_elements: int = MAX_TRACE_ELEMENTS) -> None:
        self._keys, self._max_elements = keys, max_elements

    def __call__(self, inference: Inference) -> Unsealed:
        """Raises ``request.sealed.*``, ``request.opening.salted``, ``request.inputs.malformed``,
        ``request.batch.too-large``, ``input.*``."""
        circuit = inference[Admitted].circuit
        opening, reply_key = self._open(circuit, inference.request)
        check_integers(circuit, opening.tensors)
        return Unsealed(opening, self._batch(circuit, opening), reply_key)

    def _open(self, circuit: Circuit, request: Request) -> tuple[Opening, bytes | None]:
        match request.payload:
            case SealedInputBox(box):
                unsealed = unseal_input(self._keys.unseal, box, request.nonce, circuit.digest)
                return unsealed.opening, unsealed.reply_key
            case EncodedInput(opening):
                if opening.salt:
                    raise MalformedError(
                        "request.opening.salted",
                        f"an opening in clear with a salt of {len(opening.salt)} bytes, required none",
                        remedy="a salt sent in clear hides nothing: leave it out, or seal the input",
                    )
                return opening, None
            case RealInput(arrays):
                return Opening(encode_inputs(circuit, arrays)), None
            case ListedInput(values):
                return Opening(encode_inputs(circuit, to_arrays(circuit, values))), None
            case EncryptedReference():
                raise OperationalError("node.pipeline.order", "an encrypted request among those in clear")

    def _batch(self, circuit: Circuit, opening: Opening) -> int:
        batch: int = next(iter(opening.tensors.values())).shape[0]
        per_sample = sum(tensor.elements for tensor in circuit.tensors)
        allowed = min(MAX_BATCH, self._max_elements // per_sample)
        if batch > allowed:
            raise MalformedError(
                "request.batch.too-large",
                f"{batch} samples, this node takes at most {allowed} of this model at once",
                remedy="send several smaller requests",
            )
        return batch
