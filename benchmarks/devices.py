# SPDX-License-Identifier: AGPL-3.0-or-later
"""Subjects of the appraisal benchmark: real evidence of TPMs, Nitro enclaves, NVIDIA's GPUs and switches.

A device's report is verified anew each time. Links of certificate chains, RIMs and their signatures that were verified
before are remembered, as for a verifier that sees the same machines all day. The switch comes with its RIM, the GPUs
without collateral: for none of them are RIM and OCSP responses of one time among the vectors.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from attestation import nitro, nvidia, tpm2
from attestation.collateral import sort_collateral
from attestation.contract import Appraisal
from attestation.nitro import NitroTrust
from attestation.nvidia import NvidiaTrust
from attestation.tpm2 import Tpm2Trust

VECTORS = Path(__file__).resolve().parents[1] / "tests" / "vectors"
UNIT = "nvidia/attsdk-unit"
NITRO_MADE = datetime(2025, 12, 25, 13, 15, 37, tzinfo=UTC)
JUNE, JULY, JANUARY = (datetime(year, month, 1, tzinfo=UTC) for year, month in ((2024, 6), (2026, 7), (2026, 1)))


def device_subjects() -> dict[str, Callable[[], Appraisal]]:
    """Appraisals that pass, by name."""
    gpus = {
        "nvidia h100": (
            "nvidia/nvtrust-samples/hopperAttestationReport.txt",
            "nvidia/nvtrust-samples/hopperCertChain.txt",
        ),
        "nvidia gb100": tuple(
            f"{UNIT}/sample_attestation_data/gpu/blackwell{part}.txt" for part in ("AttestationReport", "CertChain")
        ),
        "nvidia h100, four": ("nvidia/attsdk-evidence/multi_gpu_hopper.json",),
    }
    return {
        "tpm2 gce": _tpm2(),
        "nitro": _nitro(),
        **{name: _gpus(*files) for name, files in gpus.items()},
        "nvswitch ls10, with RIM": _switch(),
    }


def _bytes(*names: str) -> bytes:
    return b"\n".join((VECTORS / name).read_bytes() for name in names)


def _tpm2() -> Callable[[], Appraisal]:
    authorities = VECTORS / "tpm" / "gce-ak-certs" / "ca"
    trust = Tpm2Trust(platform_ak_issuers=(_der(authorities / "tpm_ek_root_1.cer"),), require_event_log=True)
    members = tpm2.read(_bytes("tpm/gce-attestation/gce-cos-85-nonce9009.pb"))
    collateral = sort_collateral([(authorities / "tpm_ek_intermediate_2.crt").read_bytes()])
    return lambda: tpm2.appraise(members, challenge=b"\x90\x09", at=JANUARY, trust=trust, collateral=collateral)


def _der(path: Path) -> bytes:
    data = path.read_bytes()
    return base64.b64decode(b"".join(data.splitlines()[1:-1])) if data.startswith(b"-----") else data


def _nitro() -> Callable[[], Appraisal]:
    members, trust = nitro.read(_bytes("nitro/nitro_attestation.bin")), NitroTrust()
    return lambda: nitro.appraise(members, challenge=None, at=NITRO_MADE, trust=trust)


def _gpus(*files: str) -> Callable[[], Appraisal]:
    members, trust = nvidia.read_gpus(_bytes(*files)), NvidiaTrust(require_rims=False, require_ocsp=False)
    return lambda: nvidia.appraise_gpus(members, challenge=None, at=JUNE, trust=trust)


def _switch() -> Callable[[], Appraisal]:
    members = nvidia.read_switches(_bytes(f"{UNIT}/switchAttestationReport.txt", f"{UNIT}/switchCertChain.txt"))
    rim = _bytes(f"{UNIT}/switchVBIOSRim_NV_SWITCH_BIOS_5612_0002_890_9610550001.xml")
    trust, collateral = NvidiaTrust(require_ocsp=False), sort_collateral([rim])
    return lambda: nvidia.appraise_switches(members, challenge=None, at=JULY, trust=trust, collateral=collateral)
