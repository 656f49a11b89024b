# SPDX-License-Identifier: AGPL-3.0-or-later
"""Small certificate authorities: one that attests AKs, and the maker of a software TPM.

Keys and times are arguments; nothing here reads a clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from attestation.tpm2.binding import EK_CERTIFICATE_EKU
from attestation.tpm2.ek import TPM_MANUFACTURER, TPM_MODEL, TPM_VERSION
from attestation.tpm2.public import PublicKey


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA: its certificate and signing key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def der(self) -> bytes:
        """The CA certificate as DER, for a policy to list."""
        return self.certificate.public_bytes(Encoding.DER)

    def builder(self, subject: x509.Name, key: PublicKey, start: datetime, end: datetime) -> x509.CertificateBuilder:
        """A builder for an end-entity certificate under this CA, with what every one of them has."""
        return (
            _base(subject, self.certificate.subject, key, start, end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )

    def sign(self, builder: x509.CertificateBuilder) -> bytes:
        """The certificate as DER, signed with ECDSA and SHA-256."""
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.DER)


def make_authority(
    name: str, start: datetime, lifetime: timedelta, key: ec.EllipticCurvePrivateKey | None = None
) -> Authority:
    """A self-signed CA that issues end-entity certificates only; a new P-256 key unless `key` is given."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        _base(subject, subject, key.public_key(), start, start + lifetime)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage(certify=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return Authority(builder.sign(key, hashes.SHA256()), key)


def issue_ek_certificate(maker: Authority, ek: PublicKey, start: datetime, lifetime: timedelta, *, model: str) -> bytes:
    """An EK certificate in the shape that TPM makers give theirs: no subject, the TPM in a critical SAN."""
    names = [
        x509.NameAttribute(TPM_MANUFACTURER, "id:00001014"),  # IBM, whose simulator swtpm is built on
        x509.NameAttribute(TPM_MODEL, model),
        x509.NameAttribute(TPM_VERSION, "id:20191023"),
    ]
    san = x509.SubjectAlternativeName([x509.DirectoryName(x509.Name(names))])
    is_curve = isinstance(ek, ec.EllipticCurvePublicKey)
    builder = (
        maker.builder(x509.Name([]), ek, start, start + lifetime)
        .add_extension(san, critical=True)
        .add_extension(usage(agree=is_curve, encipher=not is_curve), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.ObjectIdentifier(EK_CERTIFICATE_EKU)]), critical=False)
    )
    return maker.sign(builder)


def usage(*, sign: bool = False, encipher: bool = False, agree: bool = False, certify: bool = False) -> x509.KeyUsage:
    """A key usage extension with just these bits."""
    return x509.KeyUsage(
        digital_signature=sign,
        content_commitment=False,
        key_encipherment=encipher,
        data_encipherment=False,
        key_agreement=agree,
        key_cert_sign=certify,
        crl_sign=certify,
        encipher_only=False,
        decipher_only=False,
    )


def _base(
    subject: x509.Name, issuer: x509.Name, key: PublicKey, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )
