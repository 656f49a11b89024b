# SPDX-License-Identifier: AGPL-3.0-or-later
"""Appraising in tests: paper platforms under their own root, real vectors under Intel's."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from attestation.collateral import Collateral, sort_collateral
from attestation.contract import Appraisal
from attestation.sgx import SgxTrust
from attestation.sgx import appraise as appraise_sgx
from attestation.tdx import TdxTrust
from attestation.tdx import appraise as appraise_tdx
from tests.attestation.intel.making import AT, CHALLENGE, Paper, der

VECTORS = Path(__file__).resolve().parents[2] / "vectors"


def judge(
    paper: Paper,
    quote: bytes | None = None,
    *,
    challenge: bytes | None = CHALLENGE,
    at: datetime = AT,
    collateral: Collateral | None = None,
    event_log: bytes | None = None,
    **trust: Any,
) -> Appraisal:
    """Appraise a paper platform's quote, or another one under its root and with its collateral."""
    settings = {"roots": (der(Paper().root()),), **trust}
    members = {"quote": paper.quote() if quote is None else quote}
    if event_log is not None:
        members["event_log"] = event_log
    given = paper.collateral() if collateral is None else collateral
    if paper.tdx:
        return appraise_tdx(members, challenge=challenge, at=at, trust=TdxTrust(**settings), collateral=given)
    return appraise_sgx(members, challenge=challenge, at=at, trust=SgxTrust(**settings), collateral=given)


def codes(appraisal: Appraisal) -> dict[str, str]:
    """Ids and codes of what is FAIL, or SKIP and demanded, without the format's prefix."""
    return {check.id.split(".", 2)[2]: check.code.split(".", 2)[2] for check in (*appraisal.failed, *appraisal.missing)}


@cache
def collateral(*patterns: str) -> Collateral:
    """Vector files as collateral."""
    return sort_collateral(path.read_bytes() for pattern in patterns for path in sorted(VECTORS.glob(pattern)))


def vector(name: str) -> bytes:
    return (VECTORS / name).read_bytes()
