# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a policy supplies for Azure's TDX VMs: for the TD, and for the vTPM inside."""

from __future__ import annotations

from dataclasses import dataclass, field

from attestation.tdx.trust import TdxTrust
from attestation.tpm2.trust import Tpm2Trust


def _td() -> TdxTrust:
    # Azure's paravisor is there to handle #VE: real quotes come with SEPT_VE_DISABLE and without.
    return TdxTrust(require_sept_ve_disable=False)


@dataclass(frozen=True, kw_only=True)
class AzureTdxTrust:
    """`td`: anchors, tolerances and reference values for the quote; `vtpm`: banks, hashes, PCRs of the vTPM's quote.

    Anybody who can launch a TD can launch one with a paravisor of their own, which writes what runtime data it likes:
    only `td.reference` (`mr_td`) tells Azure's from others.
    """

    td: TdxTrust = field(default_factory=_td)
    vtpm: Tpm2Trust = field(default_factory=Tpm2Trust)
