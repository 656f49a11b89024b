# SPDX-License-Identifier: AGPL-3.0-or-later
"""What an EK certificate says of the TPM that it was issued for.

Source: TCG EK Credential Profile for TPM Family 2.0, 2.5, section 3.2.9 (subject alternative name).
"""

from __future__ import annotations

from cryptography import x509

from attestation.errors import RejectedError
from attestation.pki.path import check_key, extended_key_usage, key_usage
from attestation.tpm2.binding import EK_CERTIFICATE_EKU

TPM_MANUFACTURER = x509.ObjectIdentifier("2.23.133.2.1")
TPM_MODEL = x509.ObjectIdentifier("2.23.133.2.2")
TPM_VERSION = x509.ObjectIdentifier("2.23.133.2.3")

_ATTRIBUTES = {TPM_MANUFACTURER: "tpm_manufacturer", TPM_MODEL: "tpm_model", TPM_VERSION: "tpm_version"}
MAX_TEXT = 64
PREFIX = "evidence.tpm2.ek"


def describe_tpm(certificate: x509.Certificate) -> dict[str, str]:
    """Claims `tpm_manufacturer`, `tpm_model`, `tpm_version` as the certificate has them."""
    found: dict[str, str] = {}
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return found
    for directory in names.get_values_for_type(x509.DirectoryName):
        for attribute in directory:
            key = _ATTRIBUTES.get(attribute.oid)
            if key and key not in found:
                found[key] = str(attribute.value)[:MAX_TEXT]
    vendor = _vendor_name(found.get("tpm_manufacturer", "").removeprefix("id:"))
    if vendor:
        found["tpm_manufacturer_name"] = vendor
    return found


def _vendor_name(hexadecimal: str) -> str:
    """`id:49465800` is `IFX`: four ASCII characters in hex (TCG TPM Vendor ID Registry)."""
    try:
        text = bytes.fromhex(hexadecimal).rstrip(b"\x00 ").decode("ascii")
    except ValueError:
        return ""
    return text if text.isprintable() else ""


def check_ek_certificate(certificate: x509.Certificate) -> None:
    """Refuse a certificate that is not for an endorsement key.

    Raises `RejectedError` with `evidence.tpm2.ek-usage` (a signing key, or another extended key usage) or
    `evidence.tpm2.ek-chain-key-weak`.
    """
    check_key(certificate, PREFIX)
    usage = key_usage(certificate)
    if usage is not None and not (usage.key_encipherment or usage.key_agreement):
        raise RejectedError(f"{PREFIX}-usage", "the certified key may not encrypt, so it is no endorsement key")
    purposes = extended_key_usage(certificate)
    if purposes and EK_CERTIFICATE_EKU not in purposes:
        raise RejectedError(f"{PREFIX}-usage", f"extended key usage {', '.join(sorted(purposes))}")
