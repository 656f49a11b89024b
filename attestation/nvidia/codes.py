# SPDX-License-Identifier: AGPL-3.0-or-later
"""What each code of these formats means, one line each. Codes are never renamed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attestation import families

CODES: Mapping[str, str] = MappingProxyType(
    {
        **families.members("evidence.nvidia"),
        "evidence.nvidia.library-absent": "NVIDIA's management library for Python is not installed",
        "evidence.nvidia.device-unavailable": "there is no NVIDIA GPU in confidential mode that can be used",
        "evidence.nvidia.device-failed": "NVIDIA's driver refuses, or gives something else than a report",
        **families.raw("evidence.nvidia", "NVIDIA evidence"),
        "evidence.nvidia.raw-token": "a verifier's token instead of evidence",
        "evidence.nvidia.members-gap": "devices that are not counted from 0 without gaps",
        "evidence.nvidia.chain-missing": "a device without certificate chain",
        **families.structure("evidence.nvidia.report", "the attestation report"),
        "evidence.nvidia.report-version": "a report of another SPDM version",
        "evidence.nvidia.opaque-truncated": "the report's opaque data ends before its content does",
        "evidence.nvidia.opaque-malformed": "the report's opaque data breaks its grammar",
        "evidence.nvidia.opaque-version": "opaque data of a layout that is not published",
        "evidence.nvidia.opaque-unknown": "the opaque data has fields that are not published",
        **families.structure("evidence.nvidia.fwid", "the certificate's firmware identity"),
        "evidence.nvidia.fwid-device": "the certificate names another device than the one that issued it",
        "evidence.nvidia.fwid-mismatch": "report and certificate name different firmware",
        "evidence.nvidia.fwid-not-reported": "the report names no firmware identity",
        "evidence.nvidia.certificate-malformed": "not one DER certificate in canonical form, or too many in a chain",
        "evidence.nvidia.certificate-unsupported": "a certificate that the X.509 library cannot read",
        **families.chain("evidence.nvidia.certificate", "the device's certificate"),
        **families.ocsp("evidence.nvidia.certificate", "a certificate of the device"),
        "evidence.nvidia.device-kind": "a device of another kind",
        "evidence.nvidia.device-count": "not as many devices as the policy says",
        "evidence.nvidia.device-duplicate": "one device twice",
        "evidence.nvidia.nonce-differs": "devices that were asked with different nonces",
        "evidence.nvidia.challenge-mismatch": "the reports answer another challenge",
        "evidence.nvidia.signature-key": "the device's certificate is for another kind of key than P-384",
        "evidence.nvidia.signature-invalid": "the report's signature does not verify",
        "evidence.nvidia.rim-missing": "there is no RIM for the device's version",
        "evidence.nvidia.rim-too-many": "the collateral has more signatures than are looked at",
        "evidence.nvidia.rim-malformed": "there is no RIM, but XML that is none",
        "evidence.nvidia.rim-library-absent": "the library for XML signatures is not installed",
        "evidence.nvidia.rim-signature-invalid": "the RIM's signature does not verify, or is over something else",
        "evidence.nvidia.rim-certificate-malformed": "a certificate of the RIM is not in canonical form",
        "evidence.nvidia.rim-certificate-unsupported": "a certificate of the RIM cannot be read",
        **families.chain("evidence.nvidia.rim-signer", "the RIM signer's certificate"),
        **families.ocsp("evidence.nvidia.rim-signer", "a certificate of the RIM's signer"),
        "evidence.nvidia.measurement-mismatch": "a measurement has none of the golden values",
        "evidence.nvidia.measurement-conflict": "two RIMs speak of the same measurement",
        "evidence.nvidia.measurement-incomplete": "not every RIM that is needed to compare measurements is there",
        "evidence.nvidia.trust-invalid": "the policy's trust settings mean nothing",
    }
)
