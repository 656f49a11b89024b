# SPDX-License-Identifier: AGPL-3.0-or-later
"""Real evidence under tests/vectors/snp, as members: see provenance.json there for where each file is from."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from attestation import azure_snp, snp
from attestation.azure_snp import AzureSnpTrust
from attestation.collateral import EMPTY, Collateral
from attestation.contract import Appraisal
from attestation.snp import SnpTrust
from attestation.snp.bulletins import STATUSES
from attestation.snp.bundle import arrange

SNP = Path(__file__).resolve().parents[2] / "vectors" / "snp"
AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
VLEK_AT = datetime(2025, 6, 1, 12, tzinfo=UTC)

REPORTS = {
    "milan-v3": ("ms-milan/report.bin", "ms-milan/vcek.pem"),
    "genoa-v3": ("ms-genoa/report.bin", "ms-genoa/vcek.pem"),
    "genoa-v5": ("attestation-rs-bergamo/live-report-v5-genoa.bin", "attestation-rs-bergamo/live-vcek-genoa.der"),
    "turin-v5": ("ms-turin/report.bin", "ms-turin/vcek.pem"),
    "milan-v2": ("trustee/test-report.bin", "trustee/test-vcek.der"),
    "milan-v2-debug": ("google-milan-v2/report.bin", "google-milan-v2/vcek.der"),
    "milan-vlek": ("trustee/test-vlek-report.bin", "trustee/test-vlek.der"),
}
AZURE = {
    "azure-v0": "trustee-az-snp-vtpm/evidence-v0.json",
    "azure-v1": "trustee-az-snp-vtpm/evidence-v1.json",
    "azure-v2": "trustee-az-snp-vtpm/evidence-v2.json",
    "azure-genoa": "trustee-az-snp-vtpm/evidence-genoa.json",
    "azure-live": "attestation-rs-azure/live-evidence.json",
    "azure-milan-v3": "attestation-rs-azure/milan-v3-attestation.json",
}

TOLERANT: dict[str, Any] = {"require_crl": False, "bulletin_statuses": STATUSES}
"""There is no real list of AMD's among the vectors, and most of their firmware is older than some bulletin."""
WITHOUT_CRL = SnpTrust(**TOLERANT)
AZURE_WITHOUT_CRL = AzureSnpTrust(snp=WITHOUT_CRL)


def read(name: str) -> bytes:
    return (SNP / name).read_bytes()


def at(name: str) -> datetime:
    """A time at which the set's certificates are valid."""
    return VLEK_AT if name == "milan-vlek" else AT


@cache
def _members(name: str) -> tuple[tuple[str, bytes], ...]:
    if name in AZURE:
        return tuple(azure_snp.read(read(AZURE[name])).items())
    report, certificate = REPORTS[name]
    return ("report", read(report)), ("certificates", arrange(read(certificate)))


def members(name: str) -> dict[str, bytes]:
    """Members of the set of that name, in `REPORTS` or `AZURE`."""
    return dict(_members(name))


def judge(
    members: dict[str, bytes],
    challenge: bytes | None = None,
    when: datetime = AT,
    trust: SnpTrust | AzureSnpTrust | None = None,
    collateral: Collateral = EMPTY,
) -> Appraisal:
    """Appraise as what the members are, without demanding a CRL unless `trust` does."""
    azure = "hcl_report" in members
    chosen = trust or (AZURE_WITHOUT_CRL if azure else WITHOUT_CRL)
    format_ = azure_snp.FORMAT if azure else snp.FORMAT
    return format_.appraise(members, challenge=challenge, at=when, trust=chosen, collateral=collateral)


def codes(appraisal: Appraisal) -> set[str]:
    """Codes of what is false; where nothing is, of what is missing."""
    return {check.code for check in appraisal.failed or appraisal.missing}
