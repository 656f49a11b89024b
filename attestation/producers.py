# SPDX-License-Identifier: AGPL-3.0-or-later
"""What evidence this machine can produce, best first, and why not more.

Only looks: no TPM is opened, no report asked for, nothing heavy is imported before it is found to be there. NVIDIA's
driver, where there is one, is asked for its mode.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from attestation import simulated
from attestation.nitro import nsm as nsm_module
from attestation.nitro.appraisal import TYPE as NITRO
from attestation.nvidia import nvml
from attestation.nvidia.appraisal import GPU_TYPE as NVIDIA
from attestation.snp.appraisal import TYPE as SNP
from attestation.tdx.appraisal import TYPE as TDX
from attestation.tpm2.appraisal import TYPE as TPM2
from attestation.tpm2.presence import DEVICE, INSTALL_REMEDY, device_problem, library_problem
from attestation.tpm2.software import SOFTWARE_REMEDY, software_problem
from attestation.tsm import presence
from attestation.tsm.presence import ROOT, SEV_DEVICE, TDX_DEVICE


class Producer(Protocol):
    """What a node needs of any source of evidence."""

    type: str
    simulated: bool

    def describe(self) -> str:
        """One line for people."""
        ...

    def collect(self, challenge: bytes) -> dict[str, bytes]:
        """The members of the format `type` for a challenge of 1 to 64 bytes."""
        ...

    def close(self) -> None:
        """Release what is held."""
        ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """A way to produce evidence: `reason` says in one line why it is not available, or what it is."""

    name: str
    type: str
    available: bool
    reason: str
    remedy: str = ""


def detect(
    device: Path = DEVICE,
    *,
    reports: Path = ROOT,
    sev: Path = SEV_DEVICE,
    trust_domain: Path = TDX_DEVICE,
    nsm: Path = nsm_module.DEVICE,
    nvidia: Path = nvml.DRIVER,
) -> tuple[Candidate, ...]:
    """All ways, best first; the arguments say where each would be.

    A confidential guest's processor vouches for the whole machine against its host; a TPM for what was booted; a GPU
    for itself alone; a software TPM for nothing but the program that it is; `simulated`, which is always there, for
    nothing.
    """
    hardware = device_problem(device) or library_problem()
    enclave = nsm_module.device_problem(nsm)
    software = software_problem()
    return (
        _candidate("snp", SNP, presence.problem(sev, "AMD SEV-SNP", reports), f"AMD SEV-SNP guest, by {reports}"),
        _candidate("tdx", TDX, presence.problem(trust_domain, "Intel TDX", reports), f"Intel TDX guest, by {reports}"),
        _candidate("nitro", NITRO, (enclave, ""), f"AWS Nitro enclave, by {nsm}"),
        _candidate(
            "tpm2-device",
            TPM2,
            (hardware, INSTALL_REMEDY if device.exists() else ""),
            f"TPM 2.0 at {device}",
        ),
        _candidate("nvidia", NVIDIA, nvml.presence(nvidia), "NVIDIA GPUs in confidential mode"),
        _candidate("tpm2-software", TPM2, (software, SOFTWARE_REMEDY), "software TPM (swtpm), for development"),
        Candidate("simulated", simulated.TYPE, True, "proves nothing; accepted by no production policy"),
    )


def _candidate(name: str, type_: str, problem: tuple[str, str], found: str) -> Candidate:
    reason, remedy = problem
    return Candidate(name, type_, not reason, reason or found, remedy if reason else "")
