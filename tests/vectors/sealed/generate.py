# SPDX-License-Identifier: AGPL-3.0-or-later
"""Vectors of sealed@v1: boxes with fixed ephemeral keys, one defect per negative, and one keys message.

The box is put together here from its parts (libsodium's documentation, "Sealed boxes"), not by the code under
test: ``ephemeral public key || crypto_box(content, BLAKE2b-192(ephemeral public key || recipient))``.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
from nacl.public import Box, PrivateKey, PublicKey

from node.evidence import keys_digest, keys_message
from node.keys import NodeKeys
from verifier.tensors import encode_tensors

SEED, SEALING, REPLY, EPHEMERAL = (bytes([number]) * 32 for number in (1, 2, 3, 4))
NONCE, SALT, CHALLENGE, CIRCUIT = bytes(range(32)), b"\x05" * 32, b"\x06" * 32, b"\x07" * 32
NODE = NodeKeys(SEED, SEALING)
REPLY_PUBLIC = bytes(PrivateKey(REPLY).public_key)
INPUT = encode_tensors({"x": np.array([[1, -2, 300]])}, SALT)
OUTPUT = encode_tensors({"y": np.array([[70000]])}, SALT)
CONTENT = b"AFFSEAL1" + NONCE + CIRCUIT + REPLY_PUBLIC + INPUT


def seal(recipient: bytes, content: bytes) -> bytes:
    """crypto_box_seal with a fixed ephemeral key."""
    ephemeral = PrivateKey(EPHEMERAL)
    public = bytes(ephemeral.public_key)
    nonce = hashlib.blake2b(public + recipient, digest_size=24).digest()
    return public + Box(ephemeral, PublicKey(recipient)).encrypt(content, nonce).ciphertext


def generate(folder: Path) -> None:
    """Write every file."""
    to_node = NODE.public.sealing
    unsalted = encode_tensors({"x": np.array([[1, -2, 300]])})
    good = seal(to_node, CONTENT)
    cases = {
        "input.box": (good, ""),
        "input-flipped.box": (good[:-1] + bytes([good[-1] ^ 1]), "request.sealed.not-for-us"),
        "input-other-node.box": (seal(REPLY_PUBLIC, CONTENT), "request.sealed.not-for-us"),
        "input-short.box": (seal(to_node, CONTENT[:103]), "request.sealed.malformed"),
        "input-magic.box": (seal(to_node, b"AFFSEAL2" + CONTENT[8:]), "request.sealed.malformed"),
        "input-trailing.box": (seal(to_node, CONTENT + b"\x00"), "request.sealed.malformed"),
        "input-other-nonce.box": (
            seal(to_node, CONTENT[:8] + bytes(32) + CONTENT[40:]),
            "request.sealed.nonce-mismatch",
        ),
        "input-other-model.box": (
            seal(to_node, CONTENT[:40] + bytes(32) + CONTENT[72:]),
            "request.sealed.model-mismatch",
        ),
        "input-small-order.box": (
            seal(to_node, CONTENT[:72] + bytes(32) + CONTENT[104:]),
            "request.sealed.key-unusable",
        ),
        "input-unsalted.box": (seal(to_node, CONTENT[:104] + unsalted), "request.sealed.unsalted"),
        "answer.box": (seal(REPLY_PUBLIC, b"AFFSEAL2" + NONCE + OUTPUT), ""),
        "answer-other-nonce.box": (seal(REPLY_PUBLIC, b"AFFSEAL2" + bytes(32) + OUTPUT), "node.answer.nonce-mismatch"),
        "answer-other-key.box": (seal(to_node, b"AFFSEAL2" + NONCE + OUTPUT), "node.answer.not-for-us"),
        "answer-magic.box": (seal(REPLY_PUBLIC, b"AFFSEAL1" + NONCE + OUTPUT), "node.answer.malformed"),
    }
    for name, (content, _) in cases.items():
        (folder / name).write_bytes(content)
    manifest = {
        "format": "sealed@v1",
        "node": {
            "signing_seed": SEED.hex(),
            "signing": NODE.public.signing.hex(),
            "sealing_private": SEALING.hex(),
            "sealing": to_node.hex(),
        },
        "reply_private": REPLY.hex(),
        "reply": REPLY_PUBLIC.hex(),
        "nonce": NONCE.hex(),
        "circuit": CIRCUIT.hex(),
        "input": INPUT.hex(),
        "output": OUTPUT.hex(),
        "keys": {
            "challenge": CHALLENGE.hex(),
            "message": keys_message(CHALLENGE, NODE.public).hex(),
            "digest": keys_digest(CHALLENGE, NODE.public).hex(),
            "signature": NODE.sign(keys_message(CHALLENGE, NODE.public)).hex(),
        },
        "cases": {name: code for name, (_, code) in cases.items()},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
