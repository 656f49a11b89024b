# SPDX-License-Identifier: AGPL-3.0-or-later
"""Path validation for the certificates of devices and platforms.

RFC 5280 section 6 without name constraints and policies; revocation is `attestation.pki.revocation`. Device
certificates have critical subject-alternative names, empty subjects and key usages of their own, which general
web validators refuse.

    leaf <- chain[0] <- chain[1] <- ... <- anchor

The presented chain is strictly ordered and every link is verified, also those above the anchor; nothing
may be in it that is not a link. An anchor is a certificate that the policy lists, never one from evidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from attestation.errors import EvidenceError, RejectedError, UnsupportedError
from attestation.pki.certificate import READ_ERRORS, load_certificate

T = TypeVar("T", bound=x509.ExtensionType)

MIN_RSA_BITS = 2048
REMEMBERED_LINKS = 256
_STRONG = frozenset({"sha256", "sha384", "sha512"})
_CURVES = frozenset({"secp256r1", "secp384r1", "secp521r1"})
_KNOWN_CRITICAL = frozenset(
    {
        x509.KeyUsage.oid,
        x509.BasicConstraints.oid,
        x509.ExtendedKeyUsage.oid,
        x509.SubjectAlternativeName.oid,
        # No policy is required of a path here, so that any asserted one is fine.
        x509.CertificatePolicies.oid,
    }
)


@dataclass(frozen=True, slots=True)
class Anchors:
    """Readable trust anchors, and how many that were listed could not be read."""

    certificates: tuple[x509.Certificate, ...]
    unreadable: int

    @classmethod
    def load(cls, listed: tuple[bytes, ...]) -> Anchors:
        """Read what a policy lists; one unreadable anchor does not hinder the others."""
        certificates, unreadable = [], 0
        for data in listed:
            try:
                certificates.append(load_certificate(data, "evidence.anchor"))
            except EvidenceError:
                unreadable += 1
        return cls(tuple(certificates), unreadable)


def validate(
    leaf: x509.Certificate,
    chain: tuple[x509.Certificate, ...],
    anchors: Anchors,
    at: datetime,
    prefix: str,
    *,
    critical: frozenset[x509.ObjectIdentifier] = frozenset(),
) -> x509.Certificate:
    """The anchor that `leaf` leads to; `critical` are OIDs of critical extensions that the caller itself reads.

    Raises `RejectedError` with `<prefix>-` and one of `chain-expired`, `chain-not-ca`, `chain-broken`,
    `chain-signature-weak`, `chain-key-weak`, `chain-critical-extension`, `untrusted`; `UnsupportedError` with
    `<prefix>-no-anchors`, `-anchor-unsupported` or `-chain-unsupported`.
    """
    if not anchors.certificates and not anchors.unreadable:
        raise UnsupportedError(
            f"{prefix}-no-anchors", "the policy lists no issuer", remedy="list the issuer's CA in the policy"
        )
    try:
        path = (leaf, *chain)
        for depth, certificate in enumerate(path):
            _check_certificate(certificate, at, prefix, critical, is_leaf=depth == 0, below=depth - 1)
            if depth + 1 < len(path):
                _check_link(certificate, path[depth + 1], prefix)
        return _find_anchor(path, anchors, at, prefix, critical)
    except READ_ERRORS as error:
        raise UnsupportedError(f"{prefix}-chain-unsupported", f"unsupported certificate: {error}") from None


def _find_anchor(
    path: tuple[x509.Certificate, ...],
    anchors: Anchors,
    at: datetime,
    prefix: str,
    critical: frozenset[x509.ObjectIdentifier],
) -> x509.Certificate:
    for depth, certificate in enumerate(path):
        for anchor in anchors.certificates:
            if depth and certificate == anchor:
                return anchor
            if certificate.issuer == anchor.subject and _signed(certificate, anchor):
                _check_certificate(anchor, at, prefix, critical, is_leaf=False, below=depth)
                _check_link(certificate, anchor, prefix)
                return anchor
    if anchors.unreadable:
        raise UnsupportedError(
            f"{prefix}-anchor-unsupported",
            f"no readable anchor issued it; {anchors.unreadable} listed ones cannot be read",
            remedy="list an issuing CA whose certificate conforms to DER",
        )
    issuer = path[-1].issuer.rfc4514_string()[:120]
    raise RejectedError(f"{prefix}-untrusted", f"issued by {issuer!r}, which leads to no listed anchor")


@lru_cache(maxsize=REMEMBERED_LINKS)
def _fault(certificate: x509.Certificate, issuer: x509.Certificate) -> str:
    """Why `certificate` was not issued by `issuer`; nothing when it was. Remembered, since CAs come again and again.

    Raises what `cryptography` raises for keys and algorithms that it does not know.
    """
    try:
        certificate.verify_directly_issued_by(issuer)
    except InvalidSignature:
        return "a certificate's signature does not verify"
    except ValueError as error:
        return f"not a chain: {error}"
    return ""


def _signed(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        return not _fault(certificate, issuer)
    except READ_ERRORS:
        return False


def _check_link(certificate: x509.Certificate, issuer: x509.Certificate, prefix: str) -> None:
    algorithm = certificate.signature_hash_algorithm
    if algorithm is None or algorithm.name not in _STRONG:
        name = algorithm.name if algorithm else "none"
        raise RejectedError(f"{prefix}-chain-signature-weak", f"certificate signed with {name}; SHA-2 needed")
    if fault := _fault(certificate, issuer):
        raise RejectedError(f"{prefix}-chain-broken", fault)


def _check_certificate(
    certificate: x509.Certificate,
    at: datetime,
    prefix: str,
    critical: frozenset[x509.ObjectIdentifier],
    *,
    is_leaf: bool,
    below: int,
) -> None:
    """`below` is the number of intermediates between this CA and the leaf."""
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        raise RejectedError(
            f"{prefix}-chain-expired",
            f"valid {certificate.not_valid_before_utc.isoformat()} to "
            f"{certificate.not_valid_after_utc.isoformat()}, not at {at.isoformat()}",
        )
    for extension in certificate.extensions:
        if extension.critical and extension.oid not in _KNOWN_CRITICAL | critical:
            raise RejectedError(
                f"{prefix}-chain-critical-extension", f"critical extension {extension.oid.dotted_string}"
            )
    constraints = _extension(certificate, x509.BasicConstraints)
    if is_leaf:
        if constraints is not None and constraints.ca:
            raise RejectedError(f"{prefix}-chain-leaf-is-ca", "the leaf is a CA certificate")
        return
    usage = _extension(certificate, x509.KeyUsage)
    if constraints is None or not constraints.ca or (usage is not None and not usage.key_cert_sign):
        raise RejectedError(f"{prefix}-chain-not-ca", "an issuer is not allowed to issue certificates")
    if constraints.path_length is not None and constraints.path_length < below:
        raise RejectedError(
            f"{prefix}-chain-not-ca", f"path length {constraints.path_length} exceeded: {below} CAs below"
        )
    check_key(certificate, prefix)


def check_key(certificate: x509.Certificate, prefix: str) -> None:
    """Refuse keys below RSA-2048 and P-256 (`<prefix>-chain-key-weak`)."""
    key = certificate.public_key()
    strong = (isinstance(key, rsa.RSAPublicKey) and key.key_size >= MIN_RSA_BITS) or (
        isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES
    )
    if not strong:
        raise RejectedError(f"{prefix}-chain-key-weak", f"{type(key).__name__}; RSA-2048 or P-256 at least")


def _extension(certificate: x509.Certificate, kind: type[T]) -> T | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def key_usage(certificate: x509.Certificate) -> x509.KeyUsage | None:
    """The key usage extension, or None."""
    return _extension(certificate, x509.KeyUsage)


def extended_key_usage(certificate: x509.Certificate) -> frozenset[str]:
    """Dotted extended key usages; empty when there is no such extension."""
    usage = _extension(certificate, x509.ExtendedKeyUsage)
    return frozenset() if usage is None else frozenset(item.dotted_string for item in usage)


def der(certificate: x509.Certificate) -> bytes:
    """The certificate's bytes."""
    return certificate.public_bytes(Encoding.DER)
