# SPDX-License-Identifier: AGPL-3.0-or-later
"""`appraise`: an SGX quote in, check lines and claims out. Pure: no clock, network or device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from attestation.collateral.bag import EMPTY, Collateral
from attestation.contract import Appraisal, Check, Member, check_arguments, check_members
from attestation.freshness import freshness
from attestation.intel.appraisal import check_platform, check_second_opinion
from attestation.intel.enclave import EnclaveReport, parse_enclave_report
from attestation.intel.lines import judged, missing
from attestation.intel.quote import MAX_QUOTE, SGX, Quote, parse_quote
from attestation.sgx.trust import SgxTrust

TYPE = "sgx-quote@v1"
ID = "evidence.sgx"

ASKED_VERSION = 3
"""The version of an enclave's quote that dcap-qvl takes."""
MEMBERS: Mapping[str, Member] = {"quote": Member(MAX_QUOTE, required=True)}
"""Names, size limits in bytes and presence of the evidence's members: docs/spec/sgx-quote-v1.md."""


def appraise(
    members: Mapping[str, bytes],
    *,
    challenge: bytes | None,
    at: datetime,
    trust: SgxTrust,
    collateral: Collateral = EMPTY,
) -> Appraisal:
    """Appraise an SGX quote; arguments and errors as `attestation.tdx.appraise` has them."""
    check_arguments(challenge, at)
    check_members(ID, members, MEMBERS)
    quote = parse_quote(members["quote"], SGX, ID)
    report = parse_enclave_report(quote.body, f"{ID}.report")
    platform = check_platform(quote, None, trust, collateral, at, ID)
    checks = [
        *platform.checks,
        freshness(report.report_data, challenge, f"{ID}.challenge", ID),
        judged(
            f"{ID}.debug", not report.debug or trust.allow_debug, "on" if report.debug else "off", "off",
            f"{ID}.debug", category="configuration", warning=report.debug,
        ),
        judged(
            f"{ID}.attributes", not report.sound, report.sound or report.attributes.hex(),
            "an initialised enclave, reserved bits and bytes zero", f"{ID}.attributes-unexpected",
            category="configuration",
        ),
        _reference(report, trust),
    ]  # fmt: skip
    beyond = "it takes no debuggable enclave" if report.debug else ""
    if quote.version != ASKED_VERSION:
        beyond = f"it takes no enclave's quote of version {quote.version}"
    opinion = check_second_opinion(members["quote"], platform, checks, at, ID, beyond)
    if quote.version != ASKED_VERSION:  # nobody agrees with what is said here: for the policy to waive
        opinion = replace(opinion, demanded=trust.require_second_opinion)
    checks.append(opinion)
    return Appraisal(TYPE, tuple(checks), {**_claims(quote, report), **platform.claims}, expires=platform.expires)


def _reference(report: EnclaveReport, trust: SgxTrust) -> Check:
    id_ = f"{ID}.reference"
    if not (trust.mr_enclave or trust.mr_signer):
        code = f"{ID}.reference-none"
        return missing(id_, "no reference values", "reference values", code, demanded=False, category="executables")
    problem = ""
    if trust.mr_enclave and report.mr_enclave not in trust.mr_enclave:
        problem = f"MRENCLAVE {report.mr_enclave.hex()}"
    elif trust.mr_signer and report.mr_signer not in trust.mr_signer:
        problem = f"MRSIGNER {report.mr_signer.hex()}"
    elif trust.isv_prod_id is not None and report.isv_prod_id != trust.isv_prod_id:
        problem = f"ISVPRODID {report.isv_prod_id}"
    elif report.isv_svn < trust.min_isv_svn:
        problem = f"ISVSVN {report.isv_svn}"
    return judged(
        id_, not problem, problem or "as expected", "the policy's MRENCLAVE, MRSIGNER, ISVPRODID and ISVSVN",
        f"{ID}.reference-mismatch", category="executables",
    )  # fmt: skip


def _claims(quote: Quote, report: EnclaveReport) -> dict[str, Any]:
    return {
        "measurement": report.mr_enclave.hex(),
        "mr_enclave": report.mr_enclave.hex(),
        "mr_signer": report.mr_signer.hex(),
        "isv_prod_id": report.isv_prod_id,
        "isv_svn": report.isv_svn,
        "report_data": report.report_data.hex(),
        "debug": report.debug,
        "quote_version": quote.version,
        "attributes": report.attributes.hex(),
        "misc_select": f"{report.misc_select:08x}",
        "config_id": report.config_id.hex(),
        "config_svn": report.config_svn,
    }
