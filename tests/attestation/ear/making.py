# SPDX-License-Identifier: AGPL-3.0-or-later
"""Results and keys that the tests of EAR share."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from attestation.ear.claims import DRAFT, Ear, Submodule, to_cbor, to_json
from attestation.ear.keys import signer_of
from attestation.ear.tiers import Tier
from attestation.ear.tokens import encode_cwt, encode_jwt

VECTORS = Path(__file__).resolve().parents[2] / "vectors" / "ear"


AT = datetime(2026, 6, 1, 12, tzinfo=UTC)


NOW = int(AT.timestamp())


NONCE = bytes(range(32))


KEYS: dict[str, Any] = {
    "ES256": ec.derive_private_key(1234567, ec.SECP256R1()),
    "ES384": ec.derive_private_key(7654321, ec.SECP384R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)),
}


EAR = Ear(
    iat=NOW,
    exp=NOW + 600,
    developer="somebody",
    build="v1",
    nonce=NONCE,
    submods={
        "cpu": Submodule(Tier.WARNING, {"hardware": 2, "executables": 33}, ("policy",), {"a": "b"}, {"score": 7}),
        "gpu": Submodule(Tier.AFFIRMING),
    },
)


def signed(ear=EAR, form="jwt", dialect=DRAFT, algorithm="ES256"):
    name, sign, _ = signer_of(KEYS[algorithm])
    if form == "jwt":
        return encode_jwt(to_json(ear, dialect), name, sign)
    return encode_cwt(to_cbor(ear, dialect), name, sign)


def trusted(algorithm="ES256"):
    return signer_of(KEYS[algorithm])[2]
