# SPDX-License-Identifier: AGPL-3.0-or-later
"""DSSE envelopes (secure-systems-lab/dsse, protocol v1.0.2): the signed bytes are carried, never re-made.

``PAE(type, body) = "DSSEv1" SP len(type) SP type SP len(body) SP body``; each signature covers the PAE.
One envelope has exactly one signature here: one signer, one envelope.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from verifier import strict_json
from verifier.errors import MalformedError
from verifier.fields import Fields
from verifier.keys import key_id, signature_valid

IN_TOTO = "application/vnd.in-toto+json"
_CODE = "affidavit.envelope.malformed"


@dataclass(frozen=True)
class Envelope:
    """One signer's envelope.

    Attributes:
        payload_type: media type of the payload.
        payload: the signed bytes as received.
        signature: 64 bytes, Ed25519.
        key_id: the unsigned hint which key it was.
    """

    payload_type: str
    payload: bytes
    signature: bytes
    key_id: str

    @property
    def signed_bytes(self) -> bytes:
        """The PAE: what the signature covers."""
        return pae(self.payload_type, self.payload)

    def signed_by(self, public_key: bytes) -> bool:
        """Whether the signature verifies under the raw Ed25519 ``public_key`` and the hint names that key."""
        return self.key_id == key_id(public_key) and signature_valid(public_key, self.signature, self.signed_bytes)

    def encode(self) -> bytes:
        """The envelope as canonical JSON."""
        return strict_json.dumps(
            {
                "payload": base64.b64encode(self.payload).decode(),
                "payloadType": self.payload_type,
                "signatures": [{"keyid": self.key_id, "sig": base64.b64encode(self.signature).decode()}],
            }
        )


def pae(payload_type: str, payload: bytes) -> bytes:
    """Pre-authentication encoding."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def sign_envelope(payload: bytes, *, public_key: bytes, sign: Callable[[bytes], bytes]) -> Envelope:
    """Wrap an in-toto ``payload``; ``sign`` maps a message to its 64-byte Ed25519 signature."""
    return Envelope(IN_TOTO, payload, sign(pae(IN_TOTO, payload)), key_id(public_key))


def _base64(fields: Fields, key: str) -> bytes:
    text = fields.value.get(key)
    if isinstance(text, str):
        try:
            raw = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        if base64.b64encode(raw).decode() == text:
            return raw
    raise fields.fail(key, "canonical base64")


def parse_envelope(data: bytes, name: str) -> Envelope:
    """Decode one envelope; ``name`` is its member name, for messages."""
    fields = Fields.of(strict_json.loads(data, code=_CODE, what=name), name, _CODE)
    fields.exactly({"payload", "payloadType", "signatures"})

    def signature(value: Any, path: str) -> tuple[str, bytes]:
        entry = Fields.of(value, path, _CODE)
        entry.exactly({"keyid", "sig"})
        return entry.text("keyid", limit=64), _base64(entry, "sig")

    signatures = fields.list("signatures", signature, limit=1)
    if len(signatures) != 1:
        raise fields.fail("signatures", "exactly one signature")
    envelope = Envelope(fields.text("payloadType"), _base64(fields, "payload"), signatures[0][1], signatures[0][0])
    if envelope.encode() != data:
        raise MalformedError(_CODE, f"{name}: not in the canonical form")
    return envelope
