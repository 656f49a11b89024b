# SPDX-License-Identifier: AGPL-3.0-or-later
"""`appraise`: TD quote, runtime data and vTPM quote of an Azure VM in, check lines and claims out. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from attestation.azure import VTPM_MEMBERS, ak_fingerprint, check_vtpm, parse_runtime_data
from attestation.azure.hcl import HASHES, MAX_RUNTIME_DATA
from attestation.azure_tdx.trust import AzureTdxTrust
from attestation.collateral.bag import EMPTY, Collateral
from attestation.contract import Appraisal, Check, Member, check_arguments, check_members
from attestation.intel.lines import judged
from attestation.intel.quote import MAX_QUOTE
from attestation.tdx.appraisal import appraise_td
from attestation.tdx.report import TdReport

TYPE = "azure-tdx-vtpm@v1"
ID = "evidence.azure-tdx"

MEMBERS: Mapping[str, Member] = {
    "quote": Member(MAX_QUOTE, required=True),
    "runtime_data": Member(MAX_RUNTIME_DATA, required=True, media_type="application/json"),
    **VTPM_MEMBERS,
}
"""Names, size limits in bytes and presence of the evidence's members: docs/spec/azure-tdx-vtpm-v1.md."""


def appraise(
    members: Mapping[str, bytes],
    *,
    challenge: bytes | None,
    at: datetime,
    trust: AzureTdxTrust,
    collateral: Collateral = EMPTY,
) -> Appraisal:
    """Appraise the three as one: the TD quote binds the runtime data, these the vTPM's key, its quote the challenge.

    `challenge` is the extra data of the vTPM's quote; `collateral` as for `tdx-quote@v1`. Raises as
    `attestation.tdx.appraise` does, and `MalformedError` for runtime data and TPM structures.
    """
    check_arguments(challenge, at)
    check_members(ID, members, MEMBERS)
    runtime = parse_runtime_data(members["runtime_data"])
    vtpm = check_vtpm(members, runtime.ak, challenge, trust.vtpm, collateral)

    def bound(report: TdReport) -> tuple[list[Check], dict[str, Any]]:
        named = {name: value for name, value in vtpm.claims.items() if value is not None}
        own = {"td_report_data": report.report_data.hex(), "report_data": vtpm.claims.get("challenge", "")}
        return [_binding(report, members["runtime_data"]), *vtpm.checks], {**runtime.claims(), **named, **own}

    found = appraise_td(TYPE, members["quote"], bound, at=at, trust=trust.td, collateral=collateral)
    return replace(found, clocks=vtpm.clocks)


def clock_keys(members: Mapping[str, bytes]) -> frozenset[bytes]:
    """The vTPM's attestation key, by SHA-256. Raises `MalformedError`."""
    return frozenset({ak_fingerprint(parse_runtime_data(members["runtime_data"]).ak)})


def _binding(report: TdReport, runtime_data: bytes) -> Check:
    """Is REPORTDATA a hash of the runtime data? The paravisor's request, which nothing binds, would name the hash."""
    expected = {name: hashlib.new(name, runtime_data).digest().ljust(64, b"\0") for name in HASHES.values()}
    found = [name for name, value in expected.items() if value == report.report_data]
    return judged(
        "evidence.azure.runtime-data",
        bool(found),
        report.report_data.hex(),
        f"{expected[found[0] if found else 'sha256'].hex()}: {found[0] if found else 'sha256'} of the runtime data",
        "evidence.azure.runtime-data-mismatch",
        category="instance-identity",
    )
