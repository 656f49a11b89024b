# SPDX-License-Identifier: AGPL-3.0-or-later
"""Certificates of servers, good and bad, made for each test."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Files:
    """A server's certificate (leaf first) and key."""

    certificate: Path
    key: Path


class Authority:
    """A CA whose certificate is in ``file``."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self.folder, self.file = folder, folder / f"{name}.pem"
        self.key, self.name = ec.generate_private_key(ec.SECP256R1()), _name(name)
        builder = _builder(self.name, self.name, self.key.public_key(), DAY, DAY)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = builder.add_extension(usage, critical=True)
        self.certificate = builder.sign(self.key, hashes.SHA256())
        self.file.write_bytes(self.certificate.public_bytes(Encoding.PEM))

    def issue(
        self,
        *names: str,
        label: str = "server",
        common: str = "server",
        before: timedelta = DAY,
        after: timedelta = DAY,
        purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH,
    ) -> Files:
        """A server's certificate: names that parse as an address become one."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(common), self.name, key.public_key(), before, after)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([_general(n) for n in names]), critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = builder.add_extension(issuer, critical=False)
        return _write(self.folder, label, builder.sign(self.key, hashes.SHA256()), key)


def self_signed(folder: Path, *names: str, label: str = "own") -> Files:
    """A certificate that only itself vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_name(label), _name(label), key.public_key(), DAY, DAY)
    builder = builder.add_extension(x509.SubjectAlternativeName([_general(n) for n in names]), critical=False)
    return _write(folder, label, builder.sign(key, hashes.SHA256()), key)


def _write(folder: Path, label: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Files:
    files = Files(folder / f"{label}.pem", folder / f"{label}.key")
    files.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
    files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, before: timedelta, after: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - before).not_valid_after(now + after)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
