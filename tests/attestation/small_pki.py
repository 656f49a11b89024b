# SPDX-License-Identifier: AGPL-3.0-or-later
"""A small PKI for tests: keys, certificates, revocation lists and OCSP responses under one's own root."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Identity:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)


def issue(
    name: str,
    at: datetime,
    issuer: Identity | None = None,
    *,
    ca: bool = False,
    key: ec.EllipticCurvePrivateKey | None = None,
    curve: ec.EllipticCurve | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    signs: bool = True,
    hashing: hashes.SHA224 | None = None,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
) -> Identity:
    """A certificate of `name`, self-signed where there is no issuer."""
    key = key or ec.generate_private_key(curve or ec.SECP384R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage: dict[str, Any] = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only"), False
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start or at - DAY)
        .not_valid_after(end or at + DAY)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(**usage, decipher_only=False, digital_signature=signs, key_cert_sign=ca, crl_sign=ca),
            critical=True,
        )
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return Identity(builder.sign(issuer.key if issuer else key, hashing or hashes.SHA384()), key)


def distribution_point() -> tuple[x509.ExtensionType, bool]:
    """An extension that names a place for CRLs."""
    names = [x509.UniformResourceIdentifier("http://crl.example/list.crl")]
    return x509.CRLDistributionPoints([x509.DistributionPoint(names, None, None, None)]), False


def revocation_list(
    issuer: Identity,
    at: datetime,
    *revoked: Identity,
    start: datetime | None = None,
    end: datetime | None = None,
    signer: Identity | None = None,
) -> bytes:
    """A CRL in DER, signed by the issuer or by somebody else in its name."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(start or at - DAY)
        .next_update(end or at + DAY)
    )
    for identity in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(identity.certificate.serial_number)
        builder = builder.add_revoked_certificate(entry.revocation_date(at - DAY).build())
    return builder.sign((signer or issuer).key, hashes.SHA384()).public_bytes(Encoding.DER)


def ocsp_response(
    certificate: x509.Certificate,
    issuer: Identity,
    at: datetime,
    *,
    status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
    reason: x509.ReasonFlags | None = None,
    responder: Identity | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    certificates: Sequence[Identity] = (),
    algorithm: hashes.HashAlgorithm | None = None,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
    by_name: bool = False,
    hashing: hashes.HashAlgorithm | None = None,
    endless: bool = False,
) -> bytes:
    """An OCSP response in DER about `certificate`, by its issuer or by a responder.

    It tells the responder by its key, or `by_name`; one that is `endless` has no next update.
    """
    signer = responder or issuer
    revoked = status is ocsp.OCSPCertStatus.REVOKED
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=certificate,
        issuer=issuer.certificate,
        algorithm=algorithm or hashes.SHA1(),  # noqa: S303  (a name of the issuer, not a protection)
        cert_status=status,
        this_update=start or at - DAY,
        next_update=None if endless else end or at + DAY,
        revocation_time=at - DAY if revoked else None,
        revocation_reason=reason if revoked else None,
    )
    told = ocsp.OCSPResponderEncoding.NAME if by_name else ocsp.OCSPResponderEncoding.HASH
    builder = builder.responder_id(told, signer.certificate)
    if certificates:
        builder = builder.certificates([identity.certificate for identity in certificates])
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(signer.key, hashing or hashes.SHA384()).public_bytes(Encoding.DER)
