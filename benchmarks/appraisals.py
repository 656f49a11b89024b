# SPDX-License-Identifier: AGPL-3.0-or-later
"""Appraising real evidence on one core, warm: milliseconds each, and how many a second.

Processor time, not wall-clock time: an appraisal waits for nothing, and other work on the machine would count as ours.
Certificates and reports are parsed anew each time; a chain link that was verified before is remembered, a report's own
signature never is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from attestation import azure_snp, snp
from attestation.azure_snp import AzureSnpTrust
from attestation.snp import SnpTrust
from attestation.snp.bulletins import STATUSES
from attestation.snp.bundle import arrange
from benchmarks.devices import device_subjects
from benchmarks.intel import intel_subjects

VECTORS = Path(__file__).resolve().parents[1] / "tests" / "vectors"
AT = datetime(2026, 6, 1, tzinfo=UTC)
IN_A_ROW = 10
"""Appraisals of one subject before the next has its turn: a verifier is warm for what it sees all day."""


def snp_subjects() -> dict[str, Callable[[], object]]:
    """Real reports of three products and one Azure guest, under the pinned roots, without a CRL."""
    folder = VECTORS / "snp"
    trust = SnpTrust(require_crl=False, bulletin_statuses=STATUSES)

    def appraise(name: str) -> Callable[[], object]:
        certificates = arrange((folder / name / "vcek.pem").read_bytes())
        members = {"report": (folder / name / "report.bin").read_bytes(), "certificates": certificates}
        return lambda: snp.appraise(members, challenge=None, at=AT, trust=trust)

    evidence = azure_snp.read((folder / "trustee-az-snp-vtpm" / "evidence-v1.json").read_bytes())
    azure_trust = AzureSnpTrust(snp=trust)
    subjects = {f"snp {product}": appraise(f"ms-{product}") for product in ("milan", "genoa", "turin")}
    return subjects | {
        "azure-snp": lambda: azure_snp.appraise(evidence, challenge=b"challenge", at=AT, trust=azure_trust)
    }


def time_each(subjects: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, dict[str, Any]]:
    """Processor seconds per appraisal, subjects taking turns of `IN_A_ROW`; `per_second` is by the mean."""
    times: dict[str, list[float]] = {name: [] for name in subjects}
    for turn in range(rounds + 2):
        for name, appraise in subjects.items():
            for _ in range(IN_A_ROW):
                started = time.process_time()
                found = appraise()
                spent = time.process_time() - started
                assert getattr(found, "passed", False), name
                if turn >= 2:
                    times[name].append(spent)
    return {
        name: {
            "per_second": round(len(seen) / sum(seen), 1),
            "median_ms": round(float(np.median(seen)) * 1e3, 4),
            "p99_ms": round(float(np.quantile(seen, 0.99)) * 1e3, 4),
            "appraisals": len(seen),
        }
        for name, seen in times.items()
    }


def measure(rounds: int, only: Collection[str] = ()) -> dict[str, Any]:
    """Every subject, or `only` these, `rounds` turns."""
    subjects = snp_subjects() | intel_subjects() | device_subjects()
    return time_each({name: s for name, s in subjects.items() if not only or name in only}, rounds)
