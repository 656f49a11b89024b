# SPDX-License-Identifier: AGPL-3.0-or-later
"""Inputs and answers that only client and node can read (``sealed-input@v1``, ``sealed-answer@v1``).

::

    input  = SealedBox(node's sealing key, "AFFSEAL1" || nonce (32) || circuit digest (32) || reply key (32)
                                           || opening of the input)
    answer = SealedBox(reply key,          "AFFSEAL2" || nonce (32) || opening of the output)

``SealedBox`` is libsodium's ``crypto_box_seal`` (X25519, XSalsa20-Poly1305, ephemeral sender key); ``opening`` is
that of :mod:`verifier.tensors`, with the same 32-byte random salt both times. The salt makes the commitments in
the affidavit hiding; nonce, model and reply key travel inside the box, so a box that somebody copies fits no
other request, whoever carries it cannot have it run by another model, and the answer goes to nobody but its
author. A sealed box does not say who sent it. Specification: docs/spec/sealed-v1.md.

Both directions are here, for node and client alike; nothing here imports a runtime or a network.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox

from node.errors import MalformedError, RejectedError
from verifier.errors import MalformedError as TensorsMalformedError
from verifier.tensors import SALT_BYTES, IntArray, Opening, decode_tensors

INPUT_MAGIC = b"AFFSEAL1"
ANSWER_MAGIC = b"AFFSEAL2"
NONCE_BYTES = 32
CIRCUIT_BYTES = 32
KEY_BYTES = 32
_INPUT, _ANSWER = "request.sealed", "node.answer"


class ReplyKey:
    """The client's one-time private key: opens the answer to one request."""

    def __init__(self) -> None:
        self._key = PrivateKey.generate()
        self.public = bytes(self._key.public_key)

    def __repr__(self) -> str:
        return "ReplyKey()"

    def open_answer(self, box: bytes, nonce: bytes) -> Opening:
        """The output's opening out of a sealed answer. Its truth is what the affidavit's commitment says.

        Raises:
            RejectedError: ``node.answer.not-for-us`` (another key or damaged), ``node.answer.nonce-mismatch``.
            MalformedError: ``node.answer.malformed``.
        """
        try:
            content = SealedBox(self._key).decrypt(box)
        except (CryptoError, ValueError, TypeError):
            raise RejectedError(
                "node.answer.not-for-us",
                f"a sealed answer of {len(box)} bytes that the reply key does not open",
            ) from None
        head = len(ANSWER_MAGIC)
        if content[:head] != ANSWER_MAGIC:
            raise MalformedError("node.answer.malformed", "a sealed answer with another magic than AFFSEAL2")
        if content[head : head + NONCE_BYTES] != nonce:
            raise RejectedError("node.answer.nonce-mismatch", "a sealed answer to another request")
        return _opening(content[head + NONCE_BYTES :], _ANSWER)


@dataclass(frozen=True)
class SealedInput:
    """What a client makes: the box to send; reply key and opening to keep.

    Attributes:
        box: ciphertext for the node.
        reply: opens the answer.
        opening: the input tensors under the salt that was drawn.
    """

    box: bytes
    reply: ReplyKey
    opening: Opening


@dataclass(frozen=True)
class UnsealedInput:
    """What a node reads out of a box: the input's opening and the 32-byte key for the answer."""

    opening: Opening
    reply_key: bytes


def seal_input(sealing_key: bytes, nonce: bytes, circuit: bytes, tensors: Mapping[str, IntArray]) -> SealedInput:
    """Seal encoded inputs to a node, under a fresh salt and a fresh reply key.

    Args:
        sealing_key: the node's X25519 public key, 32 bytes; check what vouches for it first.
        nonce: of the request, 32 bytes.
        circuit: digest of the model that alone may see the input, 32 bytes.
        tensors: int64 by input name, batch first, as :func:`circuits.encode_inputs` gives them.

    Raises:
        RejectedError: ``request.sealed.key-unusable`` for a key of small order.
    """
    if len(nonce) != NONCE_BYTES:
        raise MalformedError("request.nonce.malformed", f"a nonce of {len(nonce)} bytes, required {NONCE_BYTES}")
    if len(circuit) != CIRCUIT_BYTES:
        raise MalformedError("request.model.malformed", f"a digest of {len(circuit)} bytes, required {CIRCUIT_BYTES}")
    opening, reply = Opening(tensors, secrets.token_bytes(SALT_BYTES)), ReplyKey()
    box = _seal(sealing_key, INPUT_MAGIC + nonce + circuit + reply.public + opening.encode())
    return SealedInput(box, reply, opening)


def unseal_input(unseal: Callable[[bytes], bytes | None], box: bytes, nonce: bytes, circuit: bytes) -> UnsealedInput:
    """Open a box as its node.

    Args:
        unseal: :meth:`node.keys.NodeKeys.unseal`.
        box: what the client sent.
        nonce: of the request that carries the box.
        circuit: digest of the model that this request names.

    Raises:
        RejectedError: ``request.sealed.not-for-us``, ``request.sealed.nonce-mismatch``,
            ``request.sealed.model-mismatch``, ``request.sealed.key-unusable``.
        MalformedError: ``request.sealed.malformed``, ``request.sealed.unsalted``.
    """
    content = unseal(box)
    if content is None:
        raise RejectedError(
            "request.sealed.not-for-us",
            f"a sealed input of {len(box)} bytes that this node's key does not open",
            remedy="fetch the node's current keys and seal again",
        )
    head = len(INPUT_MAGIC)
    if content[:head] != INPUT_MAGIC or len(content) < head + NONCE_BYTES + CIRCUIT_BYTES + KEY_BYTES:
        raise MalformedError(
            "request.sealed.malformed", "a sealed input with another magic than AFFSEAL1, or too short"
        )
    if content[head : head + NONCE_BYTES] != nonce:
        raise RejectedError(
            "request.sealed.nonce-mismatch",
            "the sealed input was made for a request with another nonce",
            remedy="seal the input anew for each request",
        )
    head += NONCE_BYTES
    if content[head : head + CIRCUIT_BYTES] != circuit:
        raise RejectedError(
            "request.sealed.model-mismatch",
            "the sealed input was made for another model than the request names",
            remedy="seal the input anew, to the digest of the model that is to see it",
        )
    head += CIRCUIT_BYTES
    reply_key = content[head : head + KEY_BYTES]
    opening = _opening(content[head + KEY_BYTES :], _INPUT)
    _seal(reply_key, b"")  # a key to which nothing can be sealed is found now, not after the work is done
    return UnsealedInput(opening, reply_key)


def seal_answer(reply_key: bytes, nonce: bytes, output: Opening) -> bytes:
    """Seal the salted opening of the output to the client's reply key."""
    return _seal(reply_key, ANSWER_MAGIC + nonce + output.encode())


def _seal(public_key: bytes, content: bytes) -> bytes:
    try:
        return SealedBox(PublicKey(public_key)).encrypt(content)
    except (CryptoError, ValueError, TypeError):
        raise RejectedError(
            "request.sealed.key-unusable",
            "a public key to which nothing can be sealed (length or small order)",
        ) from None


def _opening(data: bytes, code: str) -> Opening:
    try:
        opening = decode_tensors(data)
    except TensorsMalformedError:
        # What the box holds is private, so the message says nothing of it.
        raise MalformedError(f"{code}.malformed", "the box does not hold an opening in canonical form") from None
    if len(opening.salt) != SALT_BYTES:
        raise MalformedError(
            f"{code}.unsalted", f"a salt of {len(opening.salt)} bytes inside the box, required {SALT_BYTES}"
        )
    return opening
