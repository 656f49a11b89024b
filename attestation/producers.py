# SPDX-License-Identifier: AGPL-3.0-or-later
"""What evidence this machine can produce, best first, and why not more.

Only looks: nothing is started, no TPM is opened, nothing heavy is imported before it is found to be there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from attestation import simulated
from attestation.tpm2.appraisal import TYPE as TPM2
from attestation.tpm2.presence import DEVICE, INSTALL_REMEDY, device_problem, library_problem
from attestation.tpm2.software import SOFTWARE_REMEDY, software_problem


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


def detect(device: Path = DEVICE) -> tuple[Candidate, ...]:
    """All ways, best first: a machine's own TPM, a software TPM, simulated (which is always there)."""
    hardware = device_problem(device) or library_problem()
    software = software_problem()
    return (
        Candidate(
            "tpm2-device",
            TPM2,
            not hardware,
            hardware or f"TPM 2.0 at {device}",
            INSTALL_REMEDY if hardware and device.exists() else "",
        ),
        Candidate(
            "tpm2-software",
            TPM2,
            not software,
            software or "software TPM (swtpm), for development",
            SOFTWARE_REMEDY if software else "",
        ),
        Candidate("simulated", simulated.TYPE, True, "proves nothing; accepted by no production policy"),
    )
