# SPDX-License-Identifier: AGPL-3.0-or-later
"""Attested keys, true and false, as a node would give them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from affidavit.transport import Answer
from node.evidence import keys_digest, keys_message
from tests.attestation import paper
from verifier.keys import KeySet
from verifier.policy import Policy

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))


KEYS = KeySet(KEY.public_key().public_bytes_raw(), bytes(range(32)))


UNSAFE = Policy(evidence=("tpm2-quote@v1",), trust={"tpm2": paper.trust()}, unsafe_accept_simulated=True)


Evidence = Callable[[bytes], list[tuple[str, dict[str, bytes]]]]


class Answering:
    """A node of which a test says what it answers."""

    def __init__(self, evidence: Evidence, /, **changes: Any) -> None:
        self.evidence, self.changes = evidence, changes

    secure = False

    def exchange(self, method: str, path: str, *, limit: int, params: dict[str, str]) -> Answer:
        nonce = bytes.fromhex(params["challenge"])
        answer = {
            "signing": KEYS.signing.hex(),
            "sealing": KEYS.sealing.hex(),
            "challenge": nonce.hex(),
            "signature": KEY.sign(keys_message(nonce, KEYS)).hex(),
            "evidence": [
                {"type": kind, "members": {name: base64.b64encode(part).decode() for name, part in members.items()}}
                for kind, members in self.evidence(keys_digest(nonce, KEYS))
            ],
        }
        return Answer(json.dumps({**answer, **self.changes}).encode(), None)
