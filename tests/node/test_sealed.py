# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sealed boxes: what was sealed comes back, and every other box is refused for its own reason."""

from __future__ import annotations

import secrets
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.public import PublicKey, SealedBox

from node.errors import MalformedError, NodeError, RejectedError
from node.keys import NodeKeys
from node.sealed import ReplyKey, seal_answer, seal_input, unseal_input
from tests.conftest import ROOT
from verifier.tensors import Opening, encode_tensors

KEYS = NodeKeys.generate()
NONCE = bytes(range(32))
MODEL = b"\x07" * 32
TENSORS = {"x": np.array([[1, -2, 300]])}
SALT = b"\x05" * 32


def box(content: bytes, key: bytes = KEYS.public.sealing) -> bytes:
    return SealedBox(PublicKey(key)).encrypt(content)


def content(
    magic: bytes = b"AFFSEAL1",
    nonce: bytes = NONCE,
    reply: bytes | None = None,
    opening: bytes | None = None,
    model: bytes = MODEL,
) -> bytes:
    reply = ReplyKey().public if reply is None else reply
    return magic + nonce + model + reply + (encode_tensors(TENSORS, SALT) if opening is None else opening)


def refusal(data: bytes) -> NodeError:
    with pytest.raises(NodeError) as caught:
        unseal_input(KEYS.unseal, data, NONCE, MODEL)
    return caught.value


def test_there_and_back() -> None:
    sealed = seal_input(KEYS.public.sealing, NONCE, MODEL, TENSORS)
    unsealed = unseal_input(KEYS.unseal, sealed.box, NONCE, MODEL)
    assert unsealed.opening.encode() == sealed.opening.encode()
    assert len(unsealed.opening.salt) == 32
    output = Opening({"y": np.array([[7]])}, unsealed.opening.salt)
    answer = seal_answer(unsealed.reply_key, NONCE, output)
    assert sealed.reply.open_answer(answer, NONCE).encode() == output.encode()
    assert NONCE not in sealed.box and NONCE not in answer


def test_every_box_has_its_own_salt_and_reply_key() -> None:
    first, second = (seal_input(KEYS.public.sealing, NONCE, MODEL, TENSORS) for _ in range(2))
    assert first.opening.salt != second.opening.salt
    assert first.reply.public != second.reply.public


@pytest.mark.parametrize(
    ("data", "kind", "code"),
    [
        (b"", RejectedError, "request.sealed.not-for-us"),
        (b"x" * 200, RejectedError, "request.sealed.not-for-us"),
        (box(content(), NodeKeys.generate().public.sealing), RejectedError, "request.sealed.not-for-us"),
        (box(content(nonce=bytes(32))), RejectedError, "request.sealed.nonce-mismatch"),
        (box(content(model=bytes(32))), RejectedError, "request.sealed.model-mismatch"),
        (box(content(reply=bytes(32))), RejectedError, "request.sealed.key-unusable"),
        (box(content(magic=b"AFFSEAL2")), MalformedError, "request.sealed.malformed"),
        (box(b"AFFSEAL1" + NONCE + MODEL + bytes(31)), MalformedError, "request.sealed.malformed"),
        (box(content(opening=b"")), MalformedError, "request.sealed.malformed"),
        (box(content() + b"\0"), MalformedError, "request.sealed.malformed"),
        (box(content(opening=encode_tensors(TENSORS))), MalformedError, "request.sealed.unsalted"),
    ],
)
def test_each_defect_has_its_code(data: bytes, kind: type[NodeError], code: str) -> None:
    error = refusal(data)
    assert (type(error), error.code) == (kind, code)


@given(position=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_every_flipped_bit_is_found(position: int, bit: int) -> None:
    data = bytearray(box(content()))
    data[position % len(data)] ^= 1 << bit
    assert refusal(bytes(data)).code == "request.sealed.not-for-us"


def test_the_answer_is_for_its_request_alone() -> None:
    reply = ReplyKey()
    output = Opening({"y": np.array([[7]])}, SALT)
    cases = [
        (seal_answer(ReplyKey().public, NONCE, output), "node.answer.not-for-us"),
        (seal_answer(reply.public, bytes(32), output), "node.answer.nonce-mismatch"),
        (box(b"AFFSEAL1" + NONCE + output.encode(), reply.public), "node.answer.malformed"),
        (box(b"AFFSEAL2" + NONCE + b"junk", reply.public), "node.answer.malformed"),
        (seal_answer(reply.public, NONCE, Opening(output.tensors)), "node.answer.unsalted"),
    ]
    for data, code in cases:
        with pytest.raises(NodeError) as caught:
            reply.open_answer(data, NONCE)
        assert caught.value.code == code


def test_nothing_is_sealed_to_a_key_of_small_order() -> None:
    with pytest.raises(RejectedError) as caught:
        seal_input(bytes(32), NONCE, MODEL, TENSORS)
    assert caught.value.code == "request.sealed.key-unusable"
    with pytest.raises(MalformedError):
        seal_input(KEYS.public.sealing, b"short", MODEL, TENSORS)
    with pytest.raises(MalformedError) as short:
        seal_input(KEYS.public.sealing, NONCE, b"short", TENSORS)
    assert short.value.code == "request.model.malformed"


def test_errors_repeat_nothing_private() -> None:
    salt = secrets.token_bytes(32)
    bad = encode_tensors({"secret-name": np.array([123456789])}, salt) + b"trailing"
    error = refusal(box(content(opening=bad)))
    assert "secret-name" not in error.message and "123456789" not in error.message


def test_a_client_can_seal_without_a_runtime() -> None:
    program = (
        "import sys, node.sealed, node.submission, node.request, affidavit.client\n"
        "heavy = {'onnxruntime', 'onnx', 'fastapi', 'sqlalchemy', 'uvicorn'} & set(sys.modules)\n"
        "print(*sorted(heavy))\n"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr, result.stdout.strip()) == (0, "", "")
