# SPDX-License-Identifier: AGPL-3.0-or-later
"""Keys of attestation results: one algorithm per key, decided by the key and never by a token's header.

=========  ============  =========  ==========================================
algorithm  COSE label    curve      signature
=========  ============  =========  ==========================================
ES256      -7            P-256      r || s, 64 bytes, 0 < r, s < n
ES384      -35           P-384      r || s, 96 bytes
EdDSA      -8            Ed25519    RFC 8032, 64 bytes
=========  ============  =========  ==========================================

RFC 7518 section 3.4, RFC 8037 section 3.1, RFC 9053 sections 2.1 and 2.2.
"""

from __future__ import annotations

import base64
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate

from attestation import raw
from attestation.errors import MalformedError, UnsupportedError
from attestation.pki.certificate import READ_ERRORS

ID = "evidence.ear"
MAX_KEY = 1 << 16

_HASHES: dict[str, hashes.HashAlgorithm] = {"ES256": hashes.SHA256(), "ES384": hashes.SHA384()}
_CURVES: dict[str, tuple[str, type[ec.EllipticCurve], int]] = {
    "P-256": ("ES256", ec.SECP256R1, 32),
    "P-384": ("ES384", ec.SECP384R1, 48),
}
_SIZES = {"ES256": 32, "ES384": 48}
COSE_ALGORITHMS = {"ES256": -7, "ES384": -35, "EdDSA": -8}

PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True)
class VerificationKey:
    """A key that the caller trusts, with the one `algorithm` it is used with; `key_id` where its source names one."""

    key: PublicKey
    algorithm: str
    key_id: str = ""

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether `signature`, in the fixed-size form of JOSE and COSE, is this key's over `message`."""
        try:
            if isinstance(self.key, ed25519.Ed25519PublicKey):
                self.key.verify(signature, message)
                return True
            size = _SIZES[self.algorithm]
            if len(signature) != 2 * size:
                return False
            r, s = (int.from_bytes(part, "big") for part in (signature[:size], signature[size:]))
            self.key.verify(encode_dss_signature(r, s), message, ec.ECDSA(_HASHES[self.algorithm]))
        except (InvalidSignature, ValueError):
            return False
        return True


def load_key(data: bytes) -> VerificationKey:
    """A public key from a JWK (or a JWK set of one), a PEM public key or a PEM certificate.

    Raises `MalformedError` (`evidence.ear.key-malformed`) and `UnsupportedError` (`evidence.ear.key-unsupported`).
    """
    if len(data) > MAX_KEY:
        raise MalformedError(f"{ID}.key-malformed", f"a key of {len(data)} bytes; at most {MAX_KEY}")
    if data.lstrip().startswith(b"{"):
        return _from_jwk(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # serial number 0 and over-long names: see `pki.certificate`
            if b"BEGIN CERTIFICATE" in data:
                return _of(load_pem_x509_certificate(data).public_key())
            return _of(load_pem_public_key(data))
    except READ_ERRORS as error:
        raise MalformedError(f"{ID}.key-malformed", f"neither JWK nor PEM ({str(error)[:80]})") from None


def _of(key: object, key_id: str = "") -> VerificationKey:
    if isinstance(key, ed25519.Ed25519PublicKey):
        return VerificationKey(key, "EdDSA", key_id)
    if isinstance(key, ec.EllipticCurvePublicKey):
        for algorithm, curve, _ in _CURVES.values():
            if isinstance(key.curve, curve):
                return VerificationKey(key, algorithm, key_id)
    raise UnsupportedError(f"{ID}.key-unsupported", "a key that is neither P-256, P-384 nor Ed25519")


def _from_jwk(data: bytes) -> VerificationKey:
    """RFC 7517 and 7518 section 6.2, RFC 8037 section 2. Of a private key only the public half is read."""
    try:
        found = raw.document(data, ID)
        jwk: dict[str, Any] = found if isinstance(found, dict) else {}
        if "keys" in jwk and "kty" not in jwk:
            jwk = _only(jwk["keys"])
        kind, curve = jwk["kty"], jwk["crv"]
        key_id = jwk.get("kid", "")
        if kind == "OKP" and curve == "Ed25519":
            key: PublicKey = ed25519.Ed25519PublicKey.from_public_bytes(unpadded(jwk["x"]))
        elif kind == "EC" and curve in _CURVES:
            _, type_, size = _CURVES[curve]
            x, y = unpadded(jwk["x"]), unpadded(jwk["y"])
            if len(x) != size or len(y) != size:
                raise ValueError("a coordinate of the wrong size")
            key = ec.EllipticCurvePublicKey.from_encoded_point(type_(), b"\x04" + x + y)
        else:
            raise UnsupportedError(f"{ID}.key-unsupported", f"a JWK of kind {str(kind)[:20]!r} {str(curve)[:20]!r}")
        named = _of(key, key_id if isinstance(key_id, str) else "")
        stated, use = jwk.get("alg", named.algorithm), jwk.get("use", "sig")
    except (KeyError, ValueError, TypeError, MalformedError) as error:
        raise MalformedError(f"{ID}.key-malformed", f"not a JWK ({str(error)[:80]})") from None
    if (stated != named.algorithm and not (stated, curve) == ("Ed25519", "Ed25519")) or use != "sig":
        raise UnsupportedError(f"{ID}.key-unsupported", f"a JWK for {str(stated)[:20]!r} and use {str(use)[:20]!r}")
    return named


def unpadded(text: object) -> bytes:
    """Bytes of canonical base64url without padding (RFC 7515, appendix C). Raises `ValueError`."""
    if not isinstance(text, str):
        raise ValueError("base64url text required")
    found = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if base64.urlsafe_b64encode(found).rstrip(b"=").decode("ascii") != text:
        raise ValueError("base64url that is not canonical")
    return found


def _only(keys: object) -> dict[str, Any]:
    """The key of a JWK set (RFC 7517, section 5) that has one; tokens do not choose whom the caller trusts."""
    if not isinstance(keys, list) or len(keys) != 1:
        raise UnsupportedError(
            f"{ID}.key-unsupported",
            f"a JWK set of {len(keys) if isinstance(keys, list) else 'no'} keys; 1 required",
            remedy="put the one key that you trust into a file of its own",
        )
    return keys[0] if isinstance(keys[0], dict) else {}


def to_jwk(key: VerificationKey) -> dict[str, str]:
    """The key as a JWK."""
    if isinstance(key.key, ed25519.Ed25519PublicKey):
        return {"kty": "OKP", "crv": "Ed25519", "x": _unpad(key.key.public_bytes_raw()), "alg": "EdDSA", "use": "sig"}
    curve = next(name for name, (algorithm, _, _) in _CURVES.items() if algorithm == key.algorithm)
    numbers, size = key.key.public_numbers(), _SIZES[key.algorithm]
    x, y = (_unpad(number.to_bytes(size, "big")) for number in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": curve, "x": x, "y": y, "alg": key.algorithm, "use": "sig"}


def _unpad(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def load_signer(data: bytes) -> tuple[str, Callable[[bytes], bytes], VerificationKey]:
    """Algorithm, signing function and public half of an unencrypted PEM private key.

    ECDSA is deterministic (RFC 6979): the same result gives the same token. Raises as `load_key` does.
    """
    try:
        key = load_pem_private_key(data, None)
    except READ_ERRORS as error:
        raise MalformedError(f"{ID}.key-malformed", f"not an unencrypted PEM private key ({str(error)[:80]})") from None
    return signer_of(key)


def signer_of(key: object) -> tuple[str, Callable[[bytes], bytes], VerificationKey]:
    """The same for a key object."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "EdDSA", key.sign, _of(key.public_key())
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise UnsupportedError(f"{ID}.key-unsupported", "a private key that is neither P-256, P-384 nor Ed25519")
    public = _of(key.public_key())
    private, size = key, _SIZES[public.algorithm]

    def sign(message: bytes) -> bytes:
        hashed = ec.ECDSA(_HASHES[public.algorithm], deterministic_signing=True)
        r, s = decode_dss_signature(private.sign(message, hashed))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    return public.algorithm, sign, public
