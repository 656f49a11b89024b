# SPDX-License-Identifier: AGPL-3.0-or-later
"""`appraise`: an SEV-SNP report in, check lines and claims out. Pure: no clock, network or device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from attestation.collateral.bag import EMPTY, Collateral
from attestation.contract import Appraisal, Check, Claim, Member, check_arguments, check_members
from attestation.freshness import freshness
from attestation.snp.binding import check_binding, product_of
from attestation.snp.bundle import MAX_CERTIFICATES, load_bundle
from attestation.snp.currency import check_currency
from attestation.snp.endorsement import check_endorsement
from attestation.snp.guest import check_guest, check_platform
from attestation.snp.policy import POLICY_NAMES
from attestation.snp.products import Product
from attestation.snp.report import REPORT_SIZE, Report, parse_report
from attestation.snp.tcb import Tcb
from attestation.snp.trust import SnpTrust
from attestation.snp.vek import Vek

TYPE = "snp-report@v1"
ID = "evidence.snp"

MEMBERS: Mapping[str, Member] = {
    "report": Member(REPORT_SIZE, required=True),
    "certificates": Member(MAX_CERTIFICATES, required=False),
}
"""Names, size limits in bytes and presence of the evidence's members: docs/spec/snp-report-v1.md."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one report gives, freshness aside."""

    report: Report
    checks: tuple[Check, ...]
    claims: Mapping[str, Claim]
    expires: datetime | None


def appraise(
    members: Mapping[str, bytes],
    *,
    challenge: bytes | None,
    at: datetime,
    trust: SnpTrust,
    collateral: Collateral = EMPTY,
) -> Appraisal:
    """Appraise an SEV-SNP attestation report whose report data are `challenge`, followed by zeros.

    Certificates are those of the evidence, or else of `collateral` (kind `x509`); lists of revoked ones are of kind
    `crl`. Raises `MalformedError` where bytes break the grammar, `UnsupportedError` for versions and products that are
    not known, `OperationalError` for a caller's mistake. Whatever is well-formed and false is a FAIL line.
    """
    check_arguments(challenge, at)
    check_members(ID, members, MEMBERS)
    finding = appraise_report(members["report"], members.get("certificates"), at, trust, collateral)
    fresh = freshness(finding.report.report_data, challenge, f"{ID}.challenge", ID)
    return Appraisal(TYPE, (fresh, *finding.checks), finding.claims, expires=finding.expires)


def appraise_report(
    data: bytes, certificates: bytes | None, at: datetime, trust: SnpTrust, collateral: Collateral
) -> Finding:
    """Everything but freshness, for evidence that has a report inside. Raises as `appraise` does."""
    report = parse_report(data)
    bundle = load_bundle(certificates) if certificates is not None else ()
    endorsement = check_endorsement(report, bundle, at, trust, collateral)
    vek = endorsement.vek
    product = product_of(report, vek)
    checks = [*endorsement.checks]
    if vek is not None and product is not None:
        checks += check_binding(report, vek, product, trust)
    else:
        why = endorsement.checks[0].code
        checks.append(
            Check(f"{ID}.signature", "SKIP", "no key to verify it with", "verifies under a certified key", why)
        )
    checks += check_guest(report, trust)
    claims = _claims(report, vek, product)
    if product is not None:
        checks += check_platform(report, vek, product, trust)
        lines, current = check_currency(report, product, trust, at)
        checks += lines
        claims |= current
    return Finding(report, tuple(checks), claims, endorsement.expires)


def _claims(report: Report, vek: Vek | None, product: Product | None) -> dict[str, Claim]:
    policy = report.policy_names
    claims: dict[str, Any] = {
        "measurement": report.measurement.hex(),
        "report_data": report.report_data.hex(),
        "debug": "debug" in policy,
        "report_version": report.version,
        "guest_svn": report.guest_svn,
        "vmpl": report.vmpl,
        "policy": {
            "abi": f"{report.policy >> 8 & 0xFF}.{report.policy & 0xFF}",
            **{name: name in policy for name in sorted(POLICY_NAMES)},
        },
        "platform_info": f"0x{report.platform_info:x}",
        "platform": sorted(report.platform_names),
        "family_id": report.family_id.hex(),
        "image_id": report.image_id.hex(),
        "host_data": report.host_data.hex(),
        "id_key_digest": report.id_key_digest.hex(),
        "author_key_digest": report.author_key_digest.hex() if report.author_key_enabled else None,
        "report_id": report.report_id.hex(),
        "migration_agent_report_id": report.migration_agent_report_id.hex(),
        "firmware": ".".join(map(str, report.firmware)),
        "committed_firmware": ".".join(map(str, report.committed_firmware)),
        "provisional_firmware": report.committed_tcb != report.current_tcb,
        "signing_key": report.signing_key,
    }
    if report.cpuid is not None:
        claims["cpuid"] = dict(zip(("family", "model", "stepping"), report.cpuid, strict=True))
    if report.mitigations is not None:
        claims["launch_mitigations"], claims["current_mitigations"] = (f"0x{vector:x}" for vector in report.mitigations)
    if product is not None:
        claims["product"] = product.name
        claims["tcb"] = {
            name: Tcb(octets, product).parts()
            for name, octets in (
                ("reported", report.reported_tcb),
                ("committed", report.committed_tcb),
                ("current", report.current_tcb),
                ("launch", report.launch_tcb),
            )
        }
    if any(report.chip_id):
        claims["platform_id"] = report.chip_id[: product.hwid_size if product else 64].hex()
    elif vek is not None and vek.hwid:
        claims["platform_id"] = vek.hwid.hex()
    if vek is not None and vek.csp_id:
        claims["csp_id"] = vek.csp_id
    return claims
