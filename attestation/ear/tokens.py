# SPDX-License-Identifier: AGPL-3.0-or-later
"""Signed results: JWT (JWS compact serialization, RFC 7515) and CWT (COSE_Sign1, RFC 9052), out and in.

Writing is pure: the caller signs. Reading returns the claims only after the signature held under the caller's key. A
key inside a token (`jwk`, `x5c`, `x5chain`) is never used.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any, Literal

import cbor2

from attestation import raw
from attestation.cbor import decode
from attestation.collateral.recognition import unarmoured
from attestation.ear.keys import COSE_ALGORITHMS, ID, VerificationKey, unpadded
from attestation.errors import MalformedError, RejectedError, UnsupportedError

MAX_TOKEN = 4 << 20
"""Bytes of one token: results may carry the evidence they are about."""

Sign = Callable[[bytes], bytes]
TokenFormat = Literal["jwt", "cwt"]
JWT_TYPE = "eat+jwt"
SIGN1_TAG, CWT_TAG = 18, 61
_TAGS = frozenset({SIGN1_TAG, CWT_TAG})
_MALFORMED = f"{ID}.token-malformed"
_SAME = {"Ed25519": "EdDSA", -9: "ES256", -51: "ES384", -19: "EdDSA"}
"""Fully specified identifiers of the same algorithms (RFC 9864)."""


def encode_jwt(claims: Mapping[str, Any], algorithm: str, sign: Sign, key_id: str = "") -> bytes:
    """`claims` (JSON values) as a compact JWS signed by `sign`."""
    header = {"alg": algorithm, "typ": JWT_TYPE, **({"kid": key_id} if key_id else {})}
    message = b".".join(_encoded(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
    return message + b"." + _encoded(sign(message))


def encode_cwt(claims: Mapping[Any, Any], algorithm: str, sign: Sign, key_id: str = "") -> bytes:
    """`claims` (a map with integer labels) as a tagged COSE_Sign1 in deterministic CBOR."""
    header = {1: COSE_ALGORITHMS[algorithm], 16: "application/eat+cwt", **({4: key_id.encode()} if key_id else {})}
    protected = cbor2.dumps(header, canonical=True)
    payload = cbor2.dumps(dict(claims), canonical=True)
    signature = sign(_to_be_signed(protected, payload))
    return cbor2.dumps(cbor2.CBORTag(SIGN1_TAG, [protected, {}, payload, signature]), canonical=True)


def open_jwt(token: bytes, key: VerificationKey) -> dict[str, Any]:
    """The claims of a JWT that `key` signed.

    Raises `MalformedError` (`evidence.ear.token-malformed`), `UnsupportedError` (`.critical-header`), `RejectedError`
    (`.algorithm`, `.signature`).
    """
    try:
        head, body, signature = (unpadded(part) for part in token.strip().decode("ascii").split("."))
    except ValueError as error:
        raise _malformed(f"not three parts of base64url ({str(error)[:80]})") from None
    header = _object(head, "header")
    if "crit" in header:
        raise UnsupportedError(f"{ID}.critical-header", f"critical header {str(header['crit'])[:80]}")
    if header.get("b64", True) is not True:
        raise UnsupportedError(f"{ID}.critical-header", "a payload that is not encoded (b64)")
    _check_algorithm(header.get("alg"), key.algorithm)
    if not key.verifies(signature, token.strip().rpartition(b".")[0]):
        raise _forged()
    return _object(body, "claims")


def open_cwt(token: bytes, key: VerificationKey) -> dict[Any, Any]:
    """The claims of a CWT that `key` signed, in binary, hex or base64; raises as `open_jwt` does."""
    message = decode(unarmoured(token), _MALFORMED, "token", tags=_TAGS)
    while isinstance(message, cbor2.CBORTag) and message.tag in (CWT_TAG, SIGN1_TAG):
        message = message.value
    parts = list(message) if isinstance(message, list | tuple) else []
    if len(parts) != 4 or not isinstance(parts[1], Mapping):
        raise _malformed("not a COSE_Sign1 message")
    protected, unprotected, payload, signature = parts
    if not all(isinstance(part, bytes) for part in (protected, payload, signature)):
        raise _malformed("a COSE_Sign1 message without its byte strings")
    header = decode(protected, _MALFORMED, "protected header") if protected else {}
    if not isinstance(header, Mapping) or set(header) & set(unprotected):
        raise _malformed("a protected header that is no map, or a label in both headers")
    if 2 in header or 2 in unprotected:
        raise UnsupportedError(f"{ID}.critical-header", f"critical header {str(header.get(2))[:80]}")
    stated = next((name for name, label in COSE_ALGORITHMS.items() if label == header.get(1)), header.get(1))
    _check_algorithm(stated, key.algorithm)
    if not key.verifies(signature, _to_be_signed(protected, payload)):
        raise _forged()
    claims = decode(payload, _MALFORMED, "claims")
    if not isinstance(claims, Mapping):
        raise _malformed("claims that are no map")
    return dict(claims)


def token_format(token: bytes) -> TokenFormat:
    """`jwt` for text of the alphabet of JWS, else `cwt`. Raises `MalformedError` for what is too large or empty."""
    if not token.strip() or len(token) > MAX_TOKEN:
        raise _malformed(f"a token of {len(token)} bytes; 1 to {MAX_TOKEN}")
    text = token.strip()
    return "jwt" if b"." in text and text.isascii() and text.decode("ascii").isprintable() else "cwt"


def _check_algorithm(stated: object, required: str) -> None:
    known = isinstance(stated, str | int) and _SAME.get(stated, stated) == required
    if not known:
        raise RejectedError(
            f"{ID}.algorithm", f"a token signed with {str(stated)[:40]!r}; the key given is for {required}"
        )


def _forged() -> RejectedError:
    return RejectedError(f"{ID}.signature", "the signature is not that of the key given")


def _malformed(message: str) -> MalformedError:
    return MalformedError(_MALFORMED, message)


def _encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _object(data: bytes, what: str) -> dict[str, Any]:
    """A JSON object; no name twice, bounded depth (RFC 8725, section 2.4)."""
    if not data.lstrip().startswith(b"{"):
        raise _malformed(f"{what}: a JSON object required")
    try:
        found = raw.document(data, ID)
    except MalformedError as error:
        raise _malformed(f"{what}: {error.message}") from None
    if not isinstance(found, dict):
        raise _malformed(f"{what}: a JSON object required")
    return found


def _to_be_signed(protected: bytes, payload: bytes) -> bytes:
    """Sig_structure (RFC 9052, section 4.4)."""
    return cbor2.dumps(["Signature1", protected, b"", payload])
