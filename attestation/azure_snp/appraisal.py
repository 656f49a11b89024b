# SPDX-License-Identifier: AGPL-3.0-or-later
"""`appraise`: hardware report, runtime data and quote, and what joins them. Pure: no clock, network or device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from attestation import raw
from attestation.azure.beside import with_quote
from attestation.azure.forms import read_azure
from attestation.azure.hcl import MAX_HCL_REPORT, check_runtime_data, parse_hcl_report
from attestation.azure.runtime import parse_runtime_data
from attestation.azure.vtpm import VTPM_MEMBERS, ak_fingerprint, check_vtpm
from attestation.collateral.bag import EMPTY, Collateral
from attestation.contract import Appraisal, Check, Claim, Member, check_arguments, check_members
from attestation.errors import EvidenceError, MalformedError, UnsupportedError
from attestation.snp.appraisal import appraise_report
from attestation.snp.bundle import MAX_CERTIFICATES, arrange
from attestation.snp.report import Report
from attestation.snp.trust import SnpTrust
from attestation.tpm2.trust import Tpm2Trust

TYPE = "azure-snp-vtpm@v1"
ID = "evidence.azure-snp"

MEMBERS: Mapping[str, Member] = {
    "hcl_report": Member(MAX_HCL_REPORT, required=True),
    "certificates": Member(MAX_CERTIFICATES, required=False),
    **VTPM_MEMBERS,
}
"""Names, size limits in bytes and presence of the evidence's members: docs/spec/azure-snp-vtpm-v1.md."""

PARAVISOR_VMPL = 0


@dataclass(frozen=True, kw_only=True)
class AzureSnpTrust:
    """What a policy says of the report (`snp`) and of the vTPM's quote (`vtpm`: banks, hashes, PCRs, event log).

    Anybody who can launch an SNP guest can launch one with a paravisor of their own: only `snp.measurements` or
    `snp.id_key_digests` tell Azure's from others.
    """

    snp: SnpTrust = field(default_factory=SnpTrust)
    vtpm: Tpm2Trust = field(default_factory=Tpm2Trust)


def appraise(
    members: Mapping[str, bytes],
    *,
    challenge: bytes | None,
    at: datetime,
    trust: AzureSnpTrust,
    collateral: Collateral = EMPTY,
) -> Appraisal:
    """Appraise an Azure confidential VM's evidence; `challenge` is the quote's extra data.

    Raises `MalformedError` where bytes break the grammar, `UnsupportedError` for what is not known or of another
    platform, `OperationalError` for a caller's mistake. Whatever is well-formed and false is a FAIL line.
    """
    check_arguments(challenge, at)
    check_members(ID, members, MEMBERS)
    hcl = parse_hcl_report(members["hcl_report"])
    if hcl.platform != "snp":
        raise UnsupportedError(
            f"{ID}.other-platform", f"the HCL report is of {hcl.platform}", remedy="appraise it as azure-tdx"
        )
    runtime = parse_runtime_data(hcl.runtime_data)
    finding = appraise_report(hcl.hardware_report, members.get("certificates"), at, trust.snp, collateral)
    vtpm = check_vtpm(members, runtime.ak, challenge, trust.vtpm, collateral)
    quoted = vtpm.claims
    checks = [
        *finding.checks,
        _check_paravisor(finding.report),
        check_runtime_data(hcl, finding.report.report_data),
        *vtpm.checks,
    ]
    claims: dict[str, Claim] = {name: value for name, value in finding.claims.items() if name != "report_data"}
    claims |= {**runtime.claims(), "snp_report_data": finding.report.report_data.hex()}
    claims |= {name: value for name, value in quoted.items() if value is not None}
    if "challenge" in quoted:
        claims["report_data"] = quoted["challenge"]
    return Appraisal(TYPE, tuple(checks), claims, expires=finding.expires, clocks=vtpm.clocks)


def complete(members: Mapping[str, bytes], collateral: Collateral) -> dict[str, bytes]:
    """With the vTPM's quote from the collateral, where the file is the HCL report alone. Raises `MalformedError`."""
    if "hcl_report" not in members:
        return dict(members)
    runtime = parse_runtime_data(parse_hcl_report(members["hcl_report"]).runtime_data)
    return with_quote(members, runtime.ak, collateral)


def clock_keys(members: Mapping[str, bytes]) -> frozenset[bytes]:
    """The vTPM's attestation key, by SHA-256. Raises `MalformedError`."""
    return frozenset({ak_fingerprint(parse_runtime_data(parse_hcl_report(members["hcl_report"]).runtime_data).ak)})


def read(data: bytes) -> dict[str, bytes]:
    """Members of one file (`attestation.azure.forms`). Raises `MalformedError` (`evidence.azure-snp.raw-malformed`)."""
    members = raw.members(data, TYPE, ID)
    if members is not None:
        return members
    parts = read_azure(data, ID)
    if parts is None or "td_quote" in parts.extra:
        raise MalformedError(f"{ID}.raw-malformed", "not an Azure SEV-SNP guest's evidence in a form that is known")
    try:
        certificates = arrange(parts.extra["vcek"]) if "vcek" in parts.extra else b""
    except EvidenceError as error:
        raise MalformedError(f"{ID}.raw-malformed", f"the VCEK: {error.message}") from None
    found = {"hcl_report": parts.hcl_report, **parts.quote}
    return {**found, "certificates": certificates} if certificates else found


def _check_paravisor(report: Report) -> Check:
    """The paravisor runs at VMPL 0; at others the guest's own software chooses the report data."""
    good = report.vmpl == PARAVISOR_VMPL
    return Check(
        f"{ID}.paravisor",
        "PASS" if good else "FAIL",
        f"report of VMPL {report.vmpl}",
        f"report of VMPL {PARAVISOR_VMPL}, where the paravisor runs",
        "" if good else f"{ID}.not-paravisor",
        category="executables",
    )
