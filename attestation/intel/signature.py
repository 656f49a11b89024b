# SPDX-License-Identifier: AGPL-3.0-or-later
"""ECDSA over P-256 with SHA-256 as quotes carry it: r || s and x || y, 32 bytes each, big-endian.

Both s and n - s are accepted: quoting enclaves and the PCE emit either (see docs/spec/tdx-quote-v1.md).
"""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from attestation.pki.certificate import READ_ERRORS

SIGNATURE_SIZE = 64
KEY_SIZE = 64
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""SEC 2, 2.4.2."""

_ALGORITHM = ec.ECDSA(hashes.SHA256())


def load_key(data: bytes) -> ec.EllipticCurvePublicKey | None:
    """The public key x || y (64 bytes), or None where the point is not on the curve."""
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + data)
    except ValueError:
        return None


def key_of(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey | None:
    """The certificate's key, or None where it is not one of P-256 or cannot be read."""
    try:
        key = certificate.public_key()
    except READ_ERRORS:
        return None
    return key if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1) else None


def verifies(key: ec.EllipticCurvePublicKey, signature: bytes, message: bytes) -> bool:
    """Whether r || s (64 bytes) is a signature of `key` (P-256) over `message`; 0 < r, s < n is required."""
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if len(signature) != SIGNATURE_SIZE or not (0 < r < P256_ORDER and 0 < s < P256_ORDER):
        return False
    try:
        key.verify(encode_dss_signature(r, s), message, _ALGORITHM)
    except InvalidSignature:
        return False
    return True
