# SPDX-License-Identifier: AGPL-3.0-or-later
"""Subjects of the appraisal benchmark: real TDX and SGX quotes with real collateral, second opinion included.

The quote is parsed and its two signatures verified each time; chain links, revocation lists' and documents' signatures
that were verified before are remembered, as for a verifier that sees the same platforms and collateral all day.
dcap-qvl verifies everything anew each time.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from attestation import sgx, tdx
from attestation.collateral import sort_collateral
from attestation.contract import Appraisal

VECTORS = Path(__file__).resolve().parents[1] / "tests" / "vectors"
JUNE, MARCH = datetime(2025, 6, 20, tzinfo=UTC), datetime(2026, 3, 20, tzinfo=UTC)
"""When the collateral was current."""
TOLERATED = frozenset({"UpToDate", "ConfigurationAndSWHardeningNeeded"})
"""The one real SGX quote with collateral is of a platform that needs configuration."""


def intel_subjects() -> dict[str, Callable[[], Appraisal]]:
    """Appraisals that pass, by name."""
    service = tuple((VECTORS / "tdx" / "attestation-rs-collateral").iterdir())
    return {
        "tdx v4": _subject("tdx/dcap-qvl/tdx_quote", (VECTORS / "tdx/dcap-qvl/tdx_quote_collateral.json",), JUNE),
        "tdx v5": _subject("tdx/google/quote_v5_sample.dat", service, MARCH),
        "sgx": _subject("sgx/dcap-qvl/sgx_quote", (VECTORS / "sgx/dcap-qvl/sgx_quote_collateral.json",), JUNE),
    }


def _subject(name: str, files: tuple[Path, ...], at: datetime) -> Callable[[], Appraisal]:
    scheme = sgx if name.startswith("sgx") else tdx
    members = scheme.read((VECTORS / name).read_bytes())
    collateral = sort_collateral(path.read_bytes() for path in sorted(files))
    trust = scheme.FORMAT.trust_class(tcb_statuses=TOLERATED)
    return lambda: scheme.appraise(members, challenge=None, at=at, trust=trust, collateral=collateral)
