# SPDX-License-Identifier: AGPL-3.0-or-later
"""The certificates of TPM evidence: strict DER with this format's codes."""

from __future__ import annotations

from cryptography import x509

from attestation.pki import certificate

PREFIX = "evidence.tpm2.certificate"


def der_length(data: bytes) -> int:
    """Length in bytes of the DER SEQUENCE that `data` starts with; `MalformedError` when there is none."""
    return certificate.der_length(data, PREFIX)


def load_certificate(data: bytes) -> x509.Certificate:
    """One certificate, which must fill `data` exactly. Raises `MalformedError` or `UnsupportedError`."""
    return certificate.load_certificate(data, PREFIX)


def load_chain(data: bytes) -> tuple[x509.Certificate, ...]:
    """Certificates of a concatenation, issuer of the leaf first. Raises as `load_certificate` does."""
    return certificate.load_chain(data, PREFIX)
