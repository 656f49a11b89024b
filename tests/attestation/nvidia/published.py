# SPDX-License-Identifier: AGPL-3.0-or-later
"""Real devices: where their reports lie, and their appraisal."""

from __future__ import annotations

from datetime import UTC, datetime

from attestation.nvidia import NvidiaTrust, appraise_gpus, appraise_switches
from tests.attestation.nvidia.paper import LOOSE, bag

UNIT = "attsdk-unit"


DATA = f"{UNIT}/sample_attestation_data"


PAIRS = {
    "h100-550": ("nvtrust-samples/hopperAttestationReport.txt", "nvtrust-samples/hopperCertChain.txt"),
    "h100-580": (f"{UNIT}/hopperAttestationReport.txt", f"{UNIT}/hopperCertChain.txt"),
    "h100-535": (f"{DATA}/gpu/hopperAttestationReport.txt", f"{DATA}/gpu/hopperCertChain.txt"),
    "h100-570": (f"{DATA}/gpu/hopperAttestationReportExpired.txt", f"{DATA}/gpu/hopperCertChainExpired.txt"),
    "gb100": (f"{DATA}/gpu/blackwellAttestationReport.txt", f"{DATA}/gpu/blackwellCertChain.txt"),
}


SWITCH = (f"{UNIT}/switchAttestationReport.txt", f"{UNIT}/switchCertChain.txt")


AT = datetime(2024, 6, 1, tzinfo=UTC)


def gpus(evidence, *, at=AT, collateral=(), challenge=None, **trust):
    settings = NvidiaTrust(**{**LOOSE, **trust})
    return appraise_gpus(evidence, challenge=challenge, at=at, trust=settings, collateral=bag(*collateral))


def switches(evidence, *, at=AT, collateral=(), challenge=None, **trust):
    settings = NvidiaTrust(**{**LOOSE, **trust})
    return appraise_switches(evidence, challenge=challenge, at=at, trust=settings, collateral=bag(*collateral))
