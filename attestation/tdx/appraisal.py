# SPDX-License-Identifier: AGPL-3.0-or-later
"""`appraise`: a TDX quote in, check lines and claims out. Pure: no clock, network or device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from attestation.collateral.bag import EMPTY, Collateral
from attestation.contract import Appraisal, Check, Member, check_arguments, check_members
from attestation.eventlog import MAX_LOG, parse_event_log
from attestation.freshness import freshness
from attestation.intel.appraisal import check_platform, check_second_opinion
from attestation.intel.lines import judged, missing
from attestation.intel.quote import MAX_QUOTE, TDX, Quote, parse_quote
from attestation.intel.standing import Seam
from attestation.tdx.report import DEBUG, HARMLESS, SEPT_VE_DISABLE, TdReport, parse_td_report
from attestation.tdx.rtmr import check_event_log, check_offered_logs
from attestation.tdx.trust import TdxTrust

TYPE = "tdx-quote@v1"
ID = "evidence.tdx"

MEMBERS: Mapping[str, Member] = {
    "quote": Member(MAX_QUOTE, required=True),
    "event_log": Member(MAX_LOG, required=False),
}
"""Names, size limits in bytes and presence of the evidence's members: docs/spec/tdx-quote-v1.md."""


def appraise(
    members: Mapping[str, bytes],
    *,
    challenge: bytes | None,
    at: datetime,
    trust: TdxTrust,
    collateral: Collateral = EMPTY,
) -> Appraisal:
    """Appraise a TDX quote.

    `challenge` must be REPORTDATA's 64 bytes, zeros filled up behind it (None asks for no freshness); `collateral`
    holds Intel's TCB information, QE identity, their issuer chains and the revocation lists, without which the TCB
    status stays unknown (SKIP, demanded). Raises `MalformedError` where bytes break the grammar, `UnsupportedError`
    for quotes of other kinds, `OperationalError` for a caller's mistake. Whatever is well-formed and false is FAIL.
    """
    check_arguments(challenge, at)
    check_members(ID, members, MEMBERS)
    log = parse_event_log(members["event_log"], padded=True) if "event_log" in members else None

    def bound(report: TdReport) -> tuple[list[Check], dict[str, Any]]:
        if log is not None:
            line, claims = check_event_log(log, report, trust)
        else:
            line, claims = check_offered_logs(collateral, report, trust)
        return [freshness(report.report_data, challenge, f"{ID}.challenge", ID), line], claims

    return appraise_td(TYPE, members["quote"], bound, at=at, trust=trust, collateral=collateral)


def appraise_td(
    type_: str,
    data: bytes,
    bound: Callable[[TdReport], tuple[list[Check], dict[str, Any]]],
    *,
    at: datetime,
    trust: TdxTrust,
    collateral: Collateral,
) -> Appraisal:
    """Appraise the quote in `data`; `bound` gives lines and claims on what the TD report binds.

    Raises as `appraise` does.
    """
    quote = parse_quote(data, TDX, ID)
    report = parse_td_report(quote.body)
    seam = Seam(report.tee_tcb_svn, report.registers["mr_signer_seam"], report.seam_attributes)
    platform = check_platform(quote, seam, trust, collateral, at, ID)
    lines, more = bound(report)
    checks = [*platform.checks, *_body(report, trust), _reference(report, trust), *lines]
    checks.append(check_second_opinion(data, platform, checks, at, ID, _beyond(report)))
    claims = {**_claims(quote, report), **platform.claims, **more}
    return Appraisal(type_, tuple(checks), claims, expires=platform.expires)


def _body(report: TdReport, trust: TdxTrust) -> list[Check]:
    names = " ".join(report.attribute_names()) or "none"
    unexpected = report.attributes & ~(HARMLESS | DEBUG)
    lacking = trust.require_sept_ve_disable and not report.attributes & SEPT_VE_DISABLE
    bound = report.mr_service_td.hex() if any(report.mr_service_td) else ""
    known = report.mr_service_td in trust.service_tds
    return [
        judged(
            f"{ID}.debug", not report.debug or trust.allow_debug, "on" if report.debug else "off", "off",
            f"{ID}.debug", category="configuration", warning=report.debug,
        ),
        judged(
            f"{ID}.attributes", not unexpected and not lacking, names,
            "SEPT_VE_DISABLE, and nothing that is reserved or lets others profile or move the TD"
            if trust.require_sept_ve_disable
            else "nothing that is reserved or lets others profile or move the TD",
            f"{ID}.attributes-unexpected" if unexpected else f"{ID}.sept-ve-disable-absent",
            category="configuration",
        ),
        judged(
            f"{ID}.service-td", not bound or known, bound or "none",
            f"none, or one of {len(trust.service_tds)} that the policy lists",
            f"{ID}.service-td-bound", category="configuration",
        ),
    ]  # fmt: skip


def _beyond(report: TdReport) -> str:
    """What dcap-qvl has no setting for; where the policy does not tolerate it either, a line above is FAIL."""
    if report.debug:
        return "it takes no debuggable TD"
    if any(report.mr_service_td):
        return "it takes no TD with a service TD"
    return "" if report.attributes & SEPT_VE_DISABLE else "it takes no TD without SEPT_VE_DISABLE"


def _reference(report: TdReport, trust: TdxTrust) -> Check:
    id_ = f"{ID}.reference"
    if not trust.reference:
        code = f"{ID}.reference-none"
        return missing(id_, "no reference values", "reference values", code, demanded=False, category="executables")
    wrong = [name for name, allowed in sorted(trust.reference.items()) if report.registers[name] not in allowed]
    listed = ", ".join(sorted(trust.reference))
    observed = f"{wrong[0]} is {report.registers[wrong[0]].hex()}" if wrong else f"{listed} as expected"
    return judged(
        id_, not wrong, observed, f"reference values of {listed}", f"{ID}.reference-mismatch", category="executables"
    )


def _claims(quote: Quote, report: TdReport) -> dict[str, Any]:
    claims: dict[str, Any] = {
        "measurement": report.registers["mr_td"].hex(),
        "report_data": report.report_data.hex(),
        "debug": report.debug,
        "quote_version": quote.version,
        "tdx_version": "1.5" if report.tee_tcb_svn2 else "1.0",
        "tee_tcb_svn": report.tee_tcb_svn.hex(),
        "seam_attributes": report.seam_attributes.hex(),
        "td_attributes": report.attribute_names(),
        "xfam": report.xfam.hex(),
        **{name: value.hex() for name, value in report.registers.items()},
    }
    if report.tee_tcb_svn2:
        claims["tee_tcb_svn2"] = report.tee_tcb_svn2.hex()
        claims["mr_service_td"] = report.mr_service_td.hex()
    return claims
