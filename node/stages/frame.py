# SPDX-License-Identifier: AGPL-3.0-or-later
"""Frame: of an encrypted request, what it is to and on what, by digests. No ciphertext and no key is parsed here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from node.errors import OperationalError
from node.inference import Inference
from node.plans import Plans
from node.request import EncryptedReference
from node.stages.admit import Admitted
from node.uploads import Uploads
from verifier.encrypted import EncryptedRequest, FheClaim, encrypted_gates

if TYPE_CHECKING:
    from fhe import EncryptedPlan

SEED_LABEL = b"affidavit/flooding-seed@v1\x00"


@dataclass(frozen=True)
class Framed:
    """An encrypted request, ready to be evaluated.

    Attributes:
        plan: made from the node's own circuit.
        request, keys: as they came.
        inputs: what the receipt says of them.
        seed: of protected replies; known to the node alone until it opens it to an auditor.
    """

    plan: EncryptedPlan
    request: bytes
    keys: bytes
    inputs: EncryptedRequest
    seed: bytes | None

    def claim(self, answer: bytes) -> FheClaim:
        """The receipt's section, with the SHA-256 of the answer."""
        plan = self.plan
        first, last = plan.network.start, plan.network.stop
        return FheClaim(
            plan.preset.scheme,
            plan.preset.name,
            plan.preset.digest,
            plan.packing,
            first,
            last,
            plan.magnitudes,
            encrypted_gates(plan.circuit, first, last),
            self.inputs,
            answer,
        )


@dataclass(frozen=True)
class Found:
    """The plan of an encrypted request whose ciphertexts and keys are here."""

    plan: EncryptedPlan


class Find:
    """What :class:`Frame` refuses, found out without holding ciphertexts and keys: for requests that only queue.

    A request of some hundred bytes names what has up to a gigabyte, and several are admitted at a time.

    Args:
        uploads: where ciphertexts and keys lie.
        plans: how circuits run on ciphertexts.
    """

    name = "find"

    def __init__(self, uploads: Uploads, plans: Plans) -> None:
        self._uploads, self._plans = uploads, plans

    def __call__(self, inference: Inference) -> Found:
        """Raises as :class:`Frame`, and ``node.busy``."""
        payload = _payload(inference)
        plan = self._plans.admit(inference[Admitted].circuit, payload.layout)
        for digest in (payload.ciphertexts, payload.keys):
            self._uploads.check(digest)
        return Found(plan)


class Frame:
    """See the module.

    Args:
        uploads: where ciphertexts and keys lie.
        plans: how circuits run on ciphertexts.
        sign: the node's signature, which nobody else can make: seeds are derived from it.
    """

    name = "frame"

    def __init__(self, uploads: Uploads, plans: Plans, sign: Callable[[bytes], bytes]) -> None:
        self._uploads, self._plans, self._sign = uploads, plans, sign

    def __call__(self, inference: Inference) -> Framed:
        """Raises ``request.upload.missing``, ``fhe.network.*``, ``fhe.plan.*``, ``fhe.privacy.no-room``."""
        payload = _payload(inference)
        plan = self._plans.get(inference[Admitted].circuit, payload.layout)
        request, keys = self._uploads.get(payload.ciphertexts), self._uploads.get(payload.keys)
        bare = EncryptedRequest(plan.interface.digest, payload.keys, payload.ciphertexts)
        if not plan.private:
            return Framed(plan, request, keys, bare, None)
        from fhe import commit_seed

        seed = flooding_seed(self._sign, inference.request.nonce, bare)
        inputs = EncryptedRequest(bare.interface, bare.keys, bare.request, commit_seed(seed))
        return Framed(plan, request, keys, inputs, seed)


def _payload(inference: Inference) -> EncryptedReference:
    payload = inference.request.payload
    if not isinstance(payload, EncryptedReference):
        raise OperationalError("node.pipeline.order", "a request in clear among the encrypted ones")
    return payload


def flooding_seed(sign: Callable[[bytes], bytes], nonce: bytes, bare: EncryptedRequest) -> bytes:
    """The seed of one request's protected reply: 32 bytes that only the node can find, and can find again.

    SHA-256 of an Ed25519 signature, which is deterministic (RFC 8032) and never leaves the node, over a label, the
    nonce and the request's commitment without a seed. No signature of the node's is over anything with this label.
    """
    return hashlib.sha256(SEED_LABEL + sign(SEED_LABEL + nonce + bare.commitment)).digest()
