# SPDX-License-Identifier: AGPL-3.0-or-later
"""The context digest: the one value that ties evidence, proof and answer to one request.

::

    context = SHA-256("affidavit/context@v1" || 0x00 || field*)      field = u32 length || bytes

in the order nonce, policy, circuit, weights, profile, input commitment, signing key, sealing key. It exists
before the inference runs, so hardware can quote it and a proof's transcript can absorb it first.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

from verifier.keys import KeySet

LABEL = b"affidavit/context@v1\x00"
NO_POLICY = bytes(32)


@dataclass(frozen=True)
class Context:
    """What a request fixes before anything is computed; all digests and keys are 32 bytes.

    Attributes:
        nonce: drawn by the client, once per request.
        policy: SHA-256 of the client's policy file; zeros when it sent none.
        circuit: circuit digest.
        weights: digest over the circuit's constants.
        profile: arithmetic profile id.
        input: commitment to the input tensors.
        keys: the node's public keys.
    """

    nonce: bytes
    policy: bytes
    circuit: bytes
    weights: bytes
    profile: str
    input: bytes
    keys: KeySet

    @property
    def digest(self) -> bytes:
        """32 bytes."""
        hasher = hashlib.sha256(LABEL)
        for field in (
            self.nonce,
            self.policy,
            self.circuit,
            self.weights,
            self.profile.encode(),
            self.input,
            self.keys.signing,
            self.keys.sealing,
        ):
            hasher.update(struct.pack("<I", len(field)) + field)
        return hasher.digest()
