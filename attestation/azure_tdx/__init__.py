# SPDX-License-Identifier: AGPL-3.0-or-later
"""`azure-tdx-vtpm@v1`: an Azure TDX VM by its TD quote, the paravisor's runtime data and the vTPM's quote.

::

    Intel SGX Root CA -> ... -> TD report        REPORTDATA = H(runtime data) || 0 ...
    runtime data                                 the vTPM's attestation key
    Sign_AK( TPMS_ATTEST )                       extraData = challenge

=============  ==========================================================================
`appraisal`    `appraise`; the only entry a verifier needs
`trust`        `AzureTdxTrust`: what is expected of TD and vTPM
`raw`          the files in which others give such evidence; `td_report` the TDREPORT in them
=============  ==========================================================================

Built of `attestation.tdx` and `attestation.azure`. Specification: docs/spec/azure-tdx-vtpm-v1.md.
"""

from attestation.azure_tdx.appraisal import MEMBERS, TYPE, appraise, clock_keys
from attestation.azure_tdx.raw import complete, read
from attestation.azure_tdx.trust import AzureTdxTrust
from attestation.contract import Format

FORMAT = Format(
    TYPE,
    "azure-tdx",
    MEMBERS,
    appraise,
    read,
    AzureTdxTrust,
    signed=lambda members: members["attest"],
    clock_keys=clock_keys,
    complete=complete,
)

__all__ = ["FORMAT", "MEMBERS", "TYPE", "AzureTdxTrust", "appraise", "read"]
