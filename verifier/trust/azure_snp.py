# SPDX-License-Identifier: AGPL-3.0-or-later
"""``[evidence.azure-snp]``: the keys of ``[evidence.snp]`` for the report, and ``pcrs`` for the vTPM's quote."""

from __future__ import annotations

from attestation.azure_snp import AzureSnpTrust
from attestation.tpm2 import Tpm2Trust
from verifier.fields import Fields
from verifier.trust import snp, tpm2


def read(fields: Fields) -> AzureSnpTrust:
    """The trust of one table."""
    fields.exactly((), optional={*snp.KEYS, "pcrs"})
    pcrs = tpm2.pcrs(fields.object("pcrs")) if "pcrs" in fields.value else {}
    return AzureSnpTrust(snp=snp.trust(fields), vtpm=Tpm2Trust(reference_pcrs=pcrs))
