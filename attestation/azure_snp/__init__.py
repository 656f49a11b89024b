# SPDX-License-Identifier: AGPL-3.0-or-later
"""`azure-snp-vtpm@v1`: an Azure confidential VM on SEV-SNP, which speaks through its vTPM.

::

    SNP report  : of the paravisor, at VMPL 0; report data = H( runtime data )
    runtime data: the vTPM's attestation key
    TPM quote   : under that key; extra data = challenge; PCRs of the guest's boot

`appraisal` joins what `attestation.snp`, `attestation.azure` and `attestation.tpm2` check. Does not know Azure's
paravisors: reference values do. Specification: docs/spec/azure-snp-vtpm-v1.md.
"""

from attestation.azure_snp.appraisal import MEMBERS, TYPE, AzureSnpTrust, appraise, clock_keys, complete, read
from attestation.contract import Format

FORMAT = Format(
    TYPE,
    "azure-snp",
    MEMBERS,
    appraise,
    read,
    AzureSnpTrust,
    signed=lambda members: members["attest"],
    clock_keys=clock_keys,
    complete=complete,
)

__all__ = ["FORMAT", "MEMBERS", "TYPE", "AzureSnpTrust", "appraise", "read"]
