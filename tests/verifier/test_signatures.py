# SPDX-License-Identifier: AGPL-3.0-or-later
"""DSSE and Ed25519 as their specifications have them."""

from __future__ import annotations

import base64
import json

import pytest

from verifier import MalformedError
from verifier.dsse import IN_TOTO, pae, parse_envelope, sign_envelope
from verifier.keys import _SMALL_ORDER, key_id, signature_valid

from .making import NODE, STRANGER, public

ORDER = 2**252 + 27742317777372353535851937790883648493


def test_pae_is_the_specifications_example():
    # github.com/secure-systems-lab/dsse, protocol.md, test vectors
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_ed25519_is_rfc_8032():
    # RFC 8032, 7.1, TEST 2
    public_key = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    signature = bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert signature_valid(public_key, signature, b"\x72")
    assert not signature_valid(public_key, signature, b"\x73")
    malleable = signature[:32] + (int.from_bytes(signature[32:], "little") + ORDER).to_bytes(32, "little")
    assert not signature_valid(public_key, malleable, b"\x72")
    assert not signature_valid(public_key, signature + b"\x00", b"\x72")
    assert not signature_valid(public_key[:31], signature, b"\x72")


@pytest.mark.parametrize("point", sorted(_SMALL_ORDER))
def test_keys_of_small_order_sign_nothing(point):
    # R = A = a small-order point and s = 0 verify for many messages without anybody knowing a secret.
    assert not any(signature_valid(point, r + bytes(32), bytes([m])) for r in _SMALL_ORDER for m in range(4))


def test_envelope_round_trip_and_signer():
    envelope = sign_envelope(b"payload", public_key=public(NODE), sign=NODE.sign)
    again = parse_envelope(envelope.encode(), "e")
    assert again == envelope
    assert again.payload_type == IN_TOTO
    assert again.key_id == key_id(public(NODE))
    assert again.signed_by(public(NODE))
    assert not again.signed_by(public(STRANGER))


@pytest.mark.parametrize(
    "change",
    [
        lambda e: e | {"extra": 1},
        lambda e: {k: v for k, v in e.items() if k != "payloadType"},
        lambda e: e | {"signatures": []},
        lambda e: e | {"signatures": e["signatures"] * 2},
        lambda e: e | {"payload": e["payload"].rstrip("=") + "\n"},
        lambda e: e | {"payload": 7},
        lambda e: e | {"signatures": [e["signatures"][0] | {"cert": "x"}]},
    ],
)
def test_malformed_envelopes(change):
    envelope = json.loads(sign_envelope(b"pay", public_key=public(NODE), sign=NODE.sign).encode())
    with pytest.raises(MalformedError) as error:
        parse_envelope(json.dumps(change(envelope), sort_keys=True, separators=(",", ":")).encode(), "e")
    assert error.value.code == "affidavit.envelope.malformed"


def test_only_canonical_envelopes():
    data = sign_envelope(b"p", public_key=public(NODE), sign=NODE.sign).encode()
    assert base64.b64encode(b"p") in data
    with pytest.raises(MalformedError):
        parse_envelope(data + b"\n", "e")
    with pytest.raises(MalformedError):
        parse_envelope(data.replace(b":", b": ", 1), "e")
