# SPDX-License-Identifier: AGPL-3.0-or-later
"""``[evidence.azure-tdx]``: the keys of ``[evidence.tdx]`` for the TD, and ``pcrs`` as in ``[evidence.tpm2]``."""

from __future__ import annotations

from attestation.azure_tdx import AzureTdxTrust
from attestation.tpm2 import Tpm2Trust
from verifier.fields import Fields
from verifier.trust import tpm2
from verifier.trust.intel import SHARED, TDX, tdx_trust


def read(fields: Fields) -> AzureTdxTrust:
    """The trust of one table; an absent key has the format's default."""
    fields.exactly((), optional=SHARED | (TDX - {"require_event_log", "runtime_rtmrs"}) | {"pcrs"})
    pcrs = tpm2.pcrs(fields.object("pcrs")) if "pcrs" in fields.value else {}
    return AzureTdxTrust(td=tdx_trust(fields, require_sept_ve_disable=False), vtpm=Tpm2Trust(reference_pcrs=pcrs))
