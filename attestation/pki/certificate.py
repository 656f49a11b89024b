# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reading X.509 certificates from evidence: exact DER, one certificate or a concatenation."""

from __future__ import annotations

import warnings

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from attestation.errors import MalformedError, UnsupportedError

MAX_CERTIFICATE = 8192
MAX_INTERMEDIATES = 4
MAX_CHAIN_BYTES = MAX_CERTIFICATE * MAX_INTERMEDIATES

READ_ERRORS = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What `cryptography` raises for certificates that it cannot read, or cannot read all of."""


def der_length(data: bytes, prefix: str) -> int:
    """Length in bytes of the DER SEQUENCE that `data` starts with.

    Raises `MalformedError` (`<prefix>-malformed`) when there is none or it is cut short.
    """
    if len(data) < 4 or data[0] != 0x30:
        raise MalformedError(f"{prefix}-malformed", "not a DER certificate")
    first = data[1]
    if first < 0x80:
        length = 2 + first
    elif first in (0x81, 0x82):
        octets = first & 0x7F
        length = 2 + octets + int.from_bytes(data[2 : 2 + octets], "big")
    else:
        raise MalformedError(f"{prefix}-malformed", "not a DER certificate, or larger than 64 KiB")
    if length > len(data):
        raise MalformedError(f"{prefix}-malformed", f"certificate of {length} bytes cut at {len(data)}")
    return length


def load_certificate(data: bytes, prefix: str) -> x509.Certificate:
    """One certificate, which must fill `data` exactly.

    Raises `MalformedError` (`<prefix>-malformed`), or `UnsupportedError` (`<prefix>-unsupported`) for a complete DER
    structure that the X.509 library refuses: some TPM makers' certificates break DER's rules.
    """
    if der_length(data, prefix) != len(data):
        raise MalformedError(f"{prefix}-malformed", "bytes after the certificate")
    try:
        with warnings.catch_warnings():
            # Real vendor names exceed X.520's length limits, which `cryptography` warns of; nothing here
            # depends on them.
            warnings.simplefilter("ignore")
            certificate = x509.load_der_x509_certificate(data)
            # Read once, the lazily parsed parts are kept, so that later reads cannot fail.
            for part in ("extensions", "subject", "issuer", "signature_hash_algorithm"):
                getattr(certificate, part)
    except READ_ERRORS as error:
        raise UnsupportedError(
            f"{prefix}-unsupported",
            f"certificate that cannot be read: {str(error)[:120]}",
            remedy="check that it is a certificate; some TPM makers' non-conforming ones are not supported",
        ) from None
    # The signature is the tail of the DER, behind the count of unused bits in its last octet. That count is
    # covered by no signature, and `cryptography` ignores it where the bits are zero.
    unused_bits = data[-len(certificate.signature) - 1]
    if unused_bits or certificate.public_bytes(Encoding.DER) != data:
        raise MalformedError(f"{prefix}-malformed", "certificate is not in canonical form")
    return certificate


def load_chain(data: bytes, prefix: str) -> tuple[x509.Certificate, ...]:
    """Certificates of a concatenation, issuer of the leaf first; at most `MAX_INTERMEDIATES`.

    Raises as `load_certificate` does.
    """
    certificates: list[x509.Certificate] = []
    offset = 0
    while offset < len(data):
        if len(certificates) == MAX_INTERMEDIATES:
            raise MalformedError(f"{prefix}-malformed", f"more than {MAX_INTERMEDIATES} certificates in a chain")
        end = offset + der_length(data[offset:], prefix)
        certificates.append(load_certificate(data[offset:end], prefix))
        offset = end
    return tuple(certificates)
