# SPDX-License-Identifier: AGPL-3.0-or-later
"""Nitro documents: the real ones, and ones under a root of one's own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from attestation.collateral import EMPTY, Collateral
from attestation.contract import Appraisal
from attestation.errors import MalformedError, RejectedError, UnsupportedError
from attestation.nitro import NitroTrust, appraise, read
from tests.attestation.small_pki import Identity, distribution_point, issue

VECTORS = Path(__file__).resolve().parents[2] / "vectors" / "nitro"
REAL = {
    "nitro_attestation.bin": datetime(2025, 12, 25, 13, 15, 37, tzinfo=UTC),
    "nitro_attestation2.bin": datetime(2025, 12, 25, 16, 4, 19, tzinfo=UTC),
    "nitro_attestation_dbg.bin": datetime(2025, 12, 25, 8, 20, 46, tzinfo=UTC),
}
"""File to the second in which the document was made."""

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
CHALLENGE = bytes(range(32))


def document(name: str) -> bytes:
    """The attestation document in a real file."""
    return read((VECTORS / name).read_bytes())["document"]


@cache
def authority() -> tuple[Identity, Identity, Identity]:
    """Root, intermediate (which names a CRL) and enclave."""
    root = issue("root", AT, ca=True, end=AT + timedelta(days=3650))
    middle = issue("middle", AT, root, ca=True, extensions=[distribution_point()])
    return root, middle, issue("enclave", AT, middle, start=AT - timedelta(hours=1), end=AT + timedelta(hours=2))


def fields(**changes: Any) -> dict[str, Any]:
    """A document's fields; None leaves one out where it is optional."""
    root, middle, leaf = authority()
    found = {
        "module_id": "i-0123456789abcdef0-enc0123456789abcdef",
        "digest": "SHA384",
        "timestamp": int(AT.timestamp() * 1000),
        "pcrs": {index: bytes((index + 1,)) * 48 if index < 5 else bytes(48) for index in range(16)},
        "certificate": leaf.der,
        "cabundle": [root.der, middle.der],
        "public_key": None,
        "user_data": None,
        "nonce": CHALLENGE,
    }
    return {**found, **changes}


def sign(payload: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
    """r || s over the signature structure, which another CBOR library writes here."""
    message = cbor2.dumps(["Signature1", bytes.fromhex("a1013822"), b"", payload])
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA384())))
    size = (key.key_size + 7) // 8
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def seal(payload: bytes, key: ec.EllipticCurvePrivateKey | None = None) -> bytes:
    """A signed document around any payload."""
    signature = sign(payload, key or authority()[2].key)
    return cbor2.dumps([bytes.fromhex("a1013822"), {}, payload, signature])


def paper(**changes: Any) -> bytes:
    """A document of one's own with some fields changed."""
    return seal(cbor2.dumps(fields(**changes)))


def judge(
    data: bytes,
    *,
    challenge: bytes | None = CHALLENGE,
    at: datetime = AT,
    collateral: Collateral = EMPTY,
    **trust: Any,
) -> Appraisal:
    """Appraise under one's own root."""
    settings = {"roots": (authority()[0].der,), **trust}
    return appraise({"document": data}, challenge=challenge, at=at, trust=NitroTrust(**settings), collateral=collateral)


def faults(appraisal: Appraisal) -> set[str]:
    """Codes of what is false or missing."""
    return {check.code for check in (*appraisal.failed, *appraisal.missing)}


HONEST = paper()


TYPED = (MalformedError, UnsupportedError, RejectedError)
