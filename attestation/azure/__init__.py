# SPDX-License-Identifier: AGPL-3.0-or-later
"""What Azure's confidential VMs have in common, whichever CPU they run on; the formats are folders of their own.

::

    hardware report . report_data = H( runtime data )
    runtime data                  : the vTPM's attestation key
    TPM quote                     : signed by that key; extra data = challenge

==========  ==========================================================================
`hcl`       the paravisor's report: hardware report and runtime data, joined by a hash
`runtime`   the runtime data: keys, VM configuration, user data
`vtpm`      the quote under the key that the runtime data name
`forms`     the files in which others pass such evidence around; `beside`: the quote among the collateral
==========  ==========================================================================

Does not verify hardware reports: `attestation.azure_snp` and `attestation.azure_tdx` do. Pure: standard library and
`cryptography`.
"""

from attestation.azure.forms import AzureParts, read_azure
from attestation.azure.hcl import HclReport, check_runtime_data, parse_hcl_report, without_padding
from attestation.azure.runtime import RuntimeData, parse_runtime_data
from attestation.azure.vtpm import VTPM_MEMBERS, ak_fingerprint, check_vtpm

__all__ = [
    "VTPM_MEMBERS",
    "AzureParts",
    "HclReport",
    "RuntimeData",
    "ak_fingerprint",
    "check_runtime_data",
    "check_vtpm",
    "parse_hcl_report",
    "parse_runtime_data",
    "read_azure",
    "without_padding",
]
