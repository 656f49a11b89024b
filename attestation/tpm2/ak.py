# SPDX-License-Identifier: AGPL-3.0-or-later
"""The attestation key of one piece of evidence: a public area, or the bare key where a source gives no more.

A bare key says nothing of its attributes: whether it is restricted to what its TPM made is then known to whoever
enrolled it, and to nobody else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from attestation.contract import Check
from attestation.errors import MalformedError, RejectedError, UnsupportedError
from attestation.pki.certificate import READ_ERRORS
from attestation.pki.path import MIN_RSA_BITS
from attestation.tpm2 import algorithms as alg
from attestation.tpm2.public import Public, PublicKey, parse_public
from attestation.tpm2.quote import check_ak, check_signature, describe_key
from attestation.tpm2.signature import SCHEME_NAMES, Signature
from attestation.tpm2.trust import Tpm2Trust

ID = "evidence.tpm2"
_CURVES = frozenset({"secp256r1", "secp384r1"})


@dataclass(frozen=True, slots=True)
class AttestationKey:
    """`key` is that of `public` where there is a public area; `spki` its SubjectPublicKeyInfo, DER."""

    key: PublicKey
    public: Public | None

    @property
    def spki(self) -> bytes:
        """SubjectPublicKeyInfo (RFC 5280 section 4.1), DER."""
        return self.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of `spki`, by which keys are listed and remembered."""
        return hashlib.sha256(self.spki).digest()

    @property
    def enrolled_by(self) -> tuple[bytes, bytes]:
        """The TPM Name (empty for a bare key) and the fingerprint."""
        return (self.public.name() if self.public else b""), self.fingerprint

    def describe(self) -> str:
        """For instance `RSA-2048 RSASSA sha256, name sha256`."""
        if self.public is not None:
            return describe_key(self.public)
        return f"RSA-{self.key.key_size}" if isinstance(self.key, rsa.RSAPublicKey) else self.key.curve.name


def load_ak(members: Mapping[str, bytes]) -> AttestationKey:
    """From `ak_public` or `ak_key`, of which exactly one must be there.

    Raises `MalformedError` (`evidence.tpm2.member-missing`, `.ak-key-ambiguous`, `.ak-key-malformed`,
    `.public-*`) and `UnsupportedError` (`.algorithm-unsupported`).
    """
    if "ak_public" in members:
        if "ak_key" in members:
            raise MalformedError(f"{ID}.ak-key-ambiguous", "two attestation keys: 'ak_public' and 'ak_key'")
        public = parse_public(members["ak_public"])
        return AttestationKey(public.key(), public)
    if "ak_key" not in members:
        raise MalformedError(f"{ID}.member-missing", "member 'ak_public' is missing, and so is 'ak_key'")
    data = members["ak_key"]
    try:
        key = load_der_public_key(data)
    except READ_ERRORS as error:
        raise MalformedError(f"{ID}.ak-key-malformed", f"not a SubjectPublicKeyInfo: {str(error)[:120]}") from None
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise UnsupportedError(f"{ID}.algorithm-unsupported", f"attestation key of type {type(key).__name__}")
    found = AttestationKey(key, None)
    if found.spki != data:
        raise MalformedError(f"{ID}.ak-key-malformed", "the public key is not in canonical form")
    return found


def is_enrolled(ak: AttestationKey, trust: Tpm2Trust) -> bool:
    """Whether the policy lists this very key."""
    name, fingerprint = ak.enrolled_by
    return fingerprint in trust.ak_keys or (bool(name) and name in trust.ak_names)


def check_key(ak: AttestationKey, trust: Tpm2Trust) -> list[Check]:
    """Attributes and strength; of a bare key that is not enrolled, the attributes are an open, demanded question."""
    if ak.public is not None:
        return check_ak(ak.public, trust)
    key = ak.key
    strong = (
        key.key_size >= MIN_RSA_BITS and key.public_numbers().e == 65537
        if isinstance(key, rsa.RSAPublicKey)
        else key.curve.name in _CURVES
    )
    return [
        Check(
            f"{ID}.ak-attributes",
            "SKIP",
            "a bare key, without attributes",
            "a restricted, TPM-bound signing key",
            f"{ID}.ak-attributes-unknown",
            demanded=not is_enrolled(ak, trust),
        ),
        Check(
            f"{ID}.ak-key",
            "PASS" if strong else "FAIL",
            ak.describe(),
            "RSA of at least 2048 bits with exponent 65537, or P-256/P-384",
            "" if strong else f"{ID}.ak-key-weak",
            bits=_bits(key) if strong else None,
        ),
    ]


def check_message(ak: AttestationKey, signature: Signature, message: bytes, trust: Tpm2Trust) -> Check:
    """Does the signature verify over the received bytes? A bare key has no scheme of its own: any strong one."""
    if ak.public is not None:
        return check_signature(ak.public, signature, message)
    required = "the AK's key, with SHA-2, over the attestation as received"
    observed = f"{SCHEME_NAMES[signature.scheme]} {signature.hash}"
    if signature.hash not in trust.signature_hashes:
        return Check(f"{ID}.signature", "FAIL", observed, required, f"{ID}.ak-key-weak")
    try:
        signature.verify(ak.key, message)
    except RejectedError as error:
        return Check(f"{ID}.signature", "FAIL", f"{observed}: {error.message}", required, error.code)
    return Check(f"{ID}.signature", "PASS", f"{observed}, verifies", required, bits=_bits(ak.key))


def _bits(key: PublicKey) -> int:
    if isinstance(key, rsa.RSAPublicKey):
        return alg.RSA_BITS.get(key.key_size, 112)
    return key.key_size // 2
