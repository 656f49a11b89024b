# SPDX-License-Identifier: AGPL-3.0-or-later
"""The committed vectors of sealed@v1: what was sealed once opens for ever, each defect has its code."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from nacl.public import PrivateKey

from node.errors import NodeError
from node.evidence import keys_digest, keys_message
from node.keys import NodeKeys
from node.sealed import ReplyKey, unseal_input
from tests.vectors.sealed.generate import generate
from verifier.keys import signature_valid

FOLDER = Path(__file__).resolve().parents[1] / "vectors" / "sealed"
MANIFEST: dict[str, Any] = json.loads((FOLDER / "manifest.json").read_text())
NODE = NodeKeys(bytes.fromhex(MANIFEST["node"]["signing_seed"]), bytes.fromhex(MANIFEST["node"]["sealing_private"]))
NONCE, CIRCUIT = bytes.fromhex(MANIFEST["nonce"]), bytes.fromhex(MANIFEST["circuit"])


def opened(name: str) -> bytes:
    box = (FOLDER / name).read_bytes()
    if name.startswith("input"):
        unsealed = unseal_input(NODE.unseal, box, NONCE, CIRCUIT)
        assert unsealed.reply_key.hex() == MANIFEST["reply"]
        return unsealed.opening.encode()
    reply = ReplyKey()
    reply._key = PrivateKey(bytes.fromhex(MANIFEST["reply_private"]))
    return reply.open_answer(box, NONCE).encode()


@pytest.mark.parametrize("name", MANIFEST["cases"])
def test_each_box(name: str) -> None:
    code = MANIFEST["cases"][name]
    if not code:
        assert opened(name).hex() == MANIFEST["input" if name == "input.box" else "output"]
        return
    with pytest.raises(NodeError) as caught:
        opened(name)
    assert caught.value.code == code


def test_the_keys_message() -> None:
    keys, challenge = MANIFEST["keys"], bytes.fromhex(MANIFEST["keys"]["challenge"])
    message = b"affidavit/keys@v1\x00" + challenge
    message += bytes.fromhex(MANIFEST["node"]["signing"]) + bytes.fromhex(MANIFEST["node"]["sealing"])
    assert message.hex() == keys["message"] == keys_message(challenge, NODE.public).hex()
    assert hashlib.sha256(message).hexdigest() == keys["digest"] == keys_digest(challenge, NODE.public).hex()
    assert signature_valid(NODE.public.signing, bytes.fromhex(keys["signature"]), message)


def test_they_are_what_their_generator_writes(tmp_path: Path) -> None:
    generate(tmp_path)
    for path in tmp_path.iterdir():
        assert (FOLDER / path.name).read_bytes() == path.read_bytes(), path.name
