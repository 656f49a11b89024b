# SPDX-License-Identifier: AGPL-3.0-or-later
"""The extension by which an attestation CA says which TPM an AK certificate's key lives in.

    id-affidavit-akBinding OBJECT IDENTIFIER ::= { joint-iso-itu-t(2) uuid(25)
        83818788814061538136748242322438420643 }     -- 3f0ee959-e4ec-4986-981e-ef2e613af8a3

    AkBinding ::= SEQUENCE {
        version         INTEGER (1),
        ekCertificate   OCTET STRING (SIZE (32)),    -- SHA-256 of the EK certificate's DER
        akName          OCTET STRING }               -- TPM Name of the AK

Its presence means: the issuer saw that key activate a credential for this Name with that certificate's EK.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509

from attestation.errors import MalformedError

AK_BINDING_OID = x509.ObjectIdentifier("2.25.83818788814061538136748242322438420643")
AK_CERTIFICATE_EKU = "2.23.133.8.3"
"""tcg-kp-AIKCertificate: TCG Credential Profiles for TPM 2.0."""
EK_CERTIFICATE_EKU = "2.23.133.8.1"
"""tcg-kp-EKCertificate."""

_VERSION = b"\x02\x01\x01"
_DIGEST_SIZE = 32
_MAX_NAME = 66


@dataclass(frozen=True, slots=True)
class AkBinding:
    """`ek_certificate` is a SHA-256 (32 bytes), `ak_name` a TPM Name (34 to 66 bytes)."""

    ek_certificate: bytes
    ak_name: bytes

    def encode(self) -> bytes:
        """DER. All lengths stay below 128, so every length is one octet."""
        body = _VERSION + _octets(self.ek_certificate) + _octets(self.ak_name)
        return bytes([0x30, len(body)]) + body


def _octets(value: bytes) -> bytes:
    return bytes([0x04, len(value)]) + value


def parse_binding(data: bytes) -> AkBinding:
    """Parse the extension's value. Raises `MalformedError` (`evidence.tpm2.ak-binding-malformed`)."""
    start = 2 + len(_VERSION) + 2
    name = start + _DIGEST_SIZE + 2
    binding = AkBinding(data[start : start + _DIGEST_SIZE], data[name:])
    if len(data) > name + _MAX_NAME or len(binding.ak_name) < 4 or binding.encode() != data:
        raise MalformedError("evidence.tpm2.ak-binding-malformed", "AK binding extension is not as specified")
    return binding


def read_binding(certificate: x509.Certificate) -> AkBinding | None:
    """The binding in an AK certificate, or None. Raises `MalformedError` like `parse_binding`."""
    try:
        extension = certificate.extensions.get_extension_for_oid(AK_BINDING_OID).value
    except x509.ExtensionNotFound:
        return None
    if not isinstance(extension, x509.UnrecognizedExtension):
        raise MalformedError("evidence.tpm2.ak-binding-malformed", "AK binding extension is not as specified")
    return parse_binding(extension.value)
