# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does the certificate speak of this report's chip, product and TCB, and does its key sign the report?"""

from __future__ import annotations

from attestation.contract import Check
from attestation.snp.products import Product, from_cpuid
from attestation.snp.report import ECDSA_P384_SHA384, Report
from attestation.snp.signature import in_range, signed_by
from attestation.snp.tcb import Tcb
from attestation.snp.trust import SnpTrust
from attestation.snp.vek import Vek

ID = "evidence.snp"


def product_of(report: Report, vek: Vek | None) -> Product | None:
    """The chip's line: by the report's CPUID, which the signature covers; before version 3 by the certificate.

    Raises `UnsupportedError` with `evidence.snp.product-unknown`.
    """
    if report.cpuid is not None:
        return from_cpuid(*report.cpuid[:2])
    return vek.product if vek else None


def check_binding(report: Report, vek: Vek, product: Product, trust: SnpTrust) -> list[Check]:
    """The checks that join report and certificate."""
    return [
        _check_signature(report, vek),
        _check_signing_key(report, vek, trust),
        _check_product(vek, product, trust),
        _check_chip(report, vek),
        _check_tcb(report, vek, product),
    ]


def _check_signature(report: Report, vek: Vek) -> Check:
    check, required = f"{ID}.signature", "ECDSA P-384 with SHA-384 under the certified key, over the report as received"
    if report.signature_algorithm != ECDSA_P384_SHA384:
        observed = f"signature algorithm {report.signature_algorithm}"
        return Check(check, "SKIP", observed, required, f"{ID}.signature-unsupported", category="hardware")
    if not in_range(report):
        observed = "r or s is not between 1 and n - 1"
        return Check(check, "FAIL", observed, required, f"{ID}.signature-range", category="hardware")
    if not signed_by(report, vek.key):
        observed = f"does not verify under the {vek.kind.upper()} given"
        return Check(check, "FAIL", observed, required, f"{ID}.signature-invalid", category="hardware")
    return Check(check, "PASS", f"verifies under the {vek.kind.upper()}", required, bits=192, category="hardware")


def _check_signing_key(report: Report, vek: Vek, trust: SnpTrust) -> Check:
    accepted = vek.kind == report.signing_key and vek.kind in trust.signing_keys
    if accepted and vek.kind == "vlek" and trust.csp_ids:
        accepted = vek.csp_id in trust.csp_ids
    whose = f" of {vek.csp_id}" if vek.csp_id else ""
    return Check(
        f"{ID}.signing-key",
        "PASS" if accepted else "FAIL",
        f"report by {report.signing_key.upper()}, certificate for {vek.kind.upper()}{whose}",
        f"the same, one of {', '.join(sorted(trust.signing_keys))}"
        + (f", lent to {' or '.join(sorted(trust.csp_ids))}" if trust.csp_ids else ""),
        "" if accepted else f"{ID}.signing-key-mismatch",
        category="hardware",
    )


def _check_product(vek: Vek, product: Product, trust: SnpTrust) -> Check:
    same = vek.product.name == product.name and product.name in trust.products
    return Check(
        f"{ID}.product",
        "PASS" if same else "FAIL",
        f"{product.name}, certificate for {vek.product.name}",
        f"the same, one of {', '.join(sorted(trust.products))}",
        "" if same else f"{ID}.product-mismatch",
        category="hardware",
    )


def _check_chip(report: Report, vek: Vek) -> Check:
    """A VCEK is of one chip. A masked id is no contradiction: the key itself is that chip's."""
    check, required = f"{ID}.chip", "the chip that the certificate names"
    if vek.kind == "vlek":
        return Check(check, "SKIP", "a VLEK names no chip", required, f"{ID}.chip-unnamed", demanded=False)
    if not any(report.chip_id):
        return Check(check, "SKIP", "the host masks the id", required, f"{ID}.chip-unnamed", demanded=False)
    same = report.chip_id == vek.hwid.ljust(64, b"\0")
    return Check(
        check,
        "PASS" if same else "FAIL",
        _shown(report.chip_id),
        _shown(vek.hwid),
        "" if same else f"{ID}.chip-mismatch",
        category="hardware",
    )


def _check_tcb(report: Report, vek: Vek, product: Product) -> Check:
    """The key is derived for one TCB: the one that the host lets the firmware report."""
    same = report.reported_tcb == vek.tcb.octets
    return Check(
        f"{ID}.tcb-certified",
        "PASS" if same else "FAIL",
        f"reported {Tcb(report.reported_tcb, product)}",
        f"certified {vek.tcb}",
        "" if same else f"{ID}.tcb-mismatch",
        category="hardware",
    )


def _shown(chip: bytes) -> str:
    return chip.rstrip(b"\0").hex() or "nothing"
