# SPDX-License-Identifier: AGPL-3.0-or-later
"""What each code of this format means, one line each. Codes are never renamed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attestation import families

CODES: Mapping[str, str] = MappingProxyType(
    {
        **families.members("evidence.tpm2"),
        **families.raw("evidence.tpm2", "TPM evidence"),
        **families.structure("evidence.tpm2.attest", "the attestation"),
        **families.structure("evidence.tpm2.public", "the AK's public area"),
        **families.structure("evidence.tpm2.signature", "the quote's signature"),
        "evidence.tpm2.pcrs-malformed": "the PCR listing breaks its grammar or canonical form",
        "evidence.tpm2.pcrs-invalid": "the caller gave PCR values that no listing can hold",
        "evidence.tpm2.certificate-malformed": "not one DER certificate in canonical form, or too many in a chain",
        "evidence.tpm2.certificate-unsupported": "a certificate that the X.509 library cannot read",
        "evidence.tpm2.algorithm-unsupported": "a TPM algorithm that is not supported",
        "evidence.tpm2.not-tpm-generated": "the attestation was not made by a TPM",
        "evidence.tpm2.not-a-quote": "the attestation is of another kind than a quote",
        "evidence.tpm2.challenge-mismatch": "the quote answers another challenge",
        "evidence.tpm2.challenge-missing": "neither side has a challenge, so nothing shows freshness",
        "evidence.tpm2.ak-attributes": "the AK is no restricted, TPM-bound signing key",
        "evidence.tpm2.ak-key-weak": "the AK's algorithm, size, name or scheme is too weak",
        "evidence.tpm2.signature-scheme-mismatch": "the signature has another scheme than the AK",
        "evidence.tpm2.signature-invalid": "the signature does not verify",
        "evidence.tpm2.pcr-selection-mismatch": "other PCR values presented than quoted",
        "evidence.tpm2.pcr-digest-mismatch": "the PCR values do not hash to the quoted digest",
        "evidence.tpm2.pcr-bank-weak": "no PCR of an accepted bank is quoted",
        "evidence.tpm2.pcr-unquoted": "a PCR that the policy needs is not quoted",
        "evidence.tpm2.pcr-value-unexpected": "a PCR has none of the reference values",
        "evidence.tpm2.pcr-no-reference": "the policy gives no reference values",
        "evidence.tpm2.event-log-missing": "there is no event log",
        "evidence.tpm2.event-log-bank-absent": "the event log has no digests of a quoted, accepted bank",
        "evidence.tpm2.event-log-mismatch": "the event log does not replay to the quoted PCRs",
        "evidence.tpm2.ak-certificate-missing": "nobody vouches for the AK",
        **families.chain("evidence.tpm2.ak", "the AK certificate"),
        "evidence.tpm2.ak-binding-absent": "the AK certificate does not name its TPM's EK",
        "evidence.tpm2.ak-binding-malformed": "the AK certificate's binding extension is not as specified",
        "evidence.tpm2.ak-key-mismatch": "the AK certificate is for another key",
        "evidence.tpm2.ak-name-mismatch": "the AK certificate is for another TPM Name",
        "evidence.tpm2.ak-name-unbound": "nothing ties the AK's attributes to the platform's certificate",
        "evidence.tpm2.ek-certificate-missing": "the EK certificate is not there",
        "evidence.tpm2.ek-not-applicable": "no EK is involved: a platform certified the AK",
        **families.chain("evidence.tpm2.ek", "the EK certificate"),
        "evidence.tpm2.ek-mismatch": "the AK certificate names another EK certificate",
        "evidence.tpm2.ek-not-allowed": "the EK certificate is not among the policy's",
        "evidence.tpm2.ek-unsupported": "an EK type for which no default template is known",
        "evidence.tpm2.revocation-not-checked": "revocation of certificates was not looked at",
        "evidence.tpm2.trust-invalid": "the policy's trust settings mean nothing",
        "evidence.tpm2.activation-failed": "enrolment: the secret is not the one in the credential",
        "evidence.tpm2.activation-expired": "enrolment: the secret came back too late",
        "evidence.tpm2.registrar-expired": "enrolment: the attestation CA's certificate has expired",
        "evidence.tpm2.secret-size": "a secret too long for a credential",
        "evidence.tpm2.library-absent": "tpm2-pytss is not installed or does not load",
        "evidence.tpm2.device-unavailable": "the TPM cannot be opened",
        "evidence.tpm2.device-failed": "the TPM refused a command",
        "evidence.tpm2.key-kind-unknown": "the caller asked for an unknown kind of key",
        "evidence.tpm2.pcr-absent": "the TPM does not have that PCR",
        "evidence.tpm2.pcr-race": "PCRs kept changing while quoting",
        "evidence.tpm2.swtpm-absent": "the software TPM is not installed",
        "evidence.tpm2.swtpm-failed": "the software TPM did not start",
    }
)
