# SPDX-License-Identifier: AGPL-3.0-or-later
"""What each code of this format means, one line each. Codes are never renamed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attestation import families

CODES: Mapping[str, str] = MappingProxyType(
    {
        **families.members("evidence.nitro"),
        "evidence.nitro.device-unavailable": "the Nitro Security Module is absent, or not for this user",
        "evidence.nitro.device-failed": "the Nitro Security Module refuses, or answers with something else",
        **families.raw("evidence.nitro", "a Nitro attestation document"),
        **families.envelope("evidence.nitro", "a Nitro attestation document"),
        **families.structure("evidence.nitro.cose", "the signed structure"),
        **families.structure("evidence.nitro.document", "the attestation document"),
        "evidence.nitro.certificate-malformed": "a certificate is not one DER certificate in canonical form",
        "evidence.nitro.certificate-unsupported": "a certificate that the X.509 library cannot read",
        **families.chain("evidence.nitro.certificate", "the enclave's certificate"),
        "evidence.nitro.revocation-revoked": "a certificate of the document is on its issuer's revocation list",
        "evidence.nitro.revocation-crl-missing": "there is no revocation list for a certificate of the document",
        "evidence.nitro.revocation-crl-invalid": "the revocation list is not its issuer's, or is a partial one",
        "evidence.nitro.revocation-crl-expired": "the revocation list is not current at the given time",
        "evidence.nitro.revocation-no-list": "no certificate of the document names a revocation list",
        "evidence.nitro.signature-key": "the enclave's certificate is for another kind of key than P-384",
        "evidence.nitro.signature-invalid": "the document's signature does not verify",
        "evidence.nitro.timestamp-outside-certificate": "the document is dated outside its certificate's validity",
        "evidence.nitro.timestamp-future": "the document is dated after the time of the question",
        "evidence.nitro.timestamp-old": "the document is older than the policy allows",
        "evidence.nitro.challenge-mismatch": "the document answers another challenge",
        "evidence.nitro.kind-not-accepted": "a NitroTPM's document where the policy wants an enclave's, or the reverse",
        "evidence.nitro.debug": "the enclave runs in debug mode, or its image is not measured",
        "evidence.nitro.pcr-no-reference": "the policy gives no reference values",
        "evidence.nitro.pcr-absent": "a PCR that the policy needs is not in the document",
        "evidence.nitro.pcr-unexpected": "a PCR has none of the reference values",
        "evidence.nitro.trust-invalid": "the policy's trust settings mean nothing",
    }
)
