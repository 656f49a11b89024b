# SPDX-License-Identifier: AGPL-3.0-or-later
"""Real quotes with real collateral, each with the result that it must have."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

import pytest

from attestation import sgx, tdx
from attestation.errors import MalformedError, UnsupportedError
from attestation.intel.roots import INTEL_SGX_ROOT_CA
from tests.attestation.intel.judging import VECTORS, codes, collateral, vector

pytest.importorskip("dcap_qvl")

MARCH = datetime(2026, 3, 20, tzinfo=UTC)
PCS = "tdx/attestation-rs-collateral/*"
OPEN = {
    "pck-revocation": "pck-crl-missing",
    "pck-ca-revocation": "pck-ca-crl-missing",
    "tcb-info": "tcb-info-missing",
    "qe-identity": "qe-identity-missing",
    "tcb": "tcb-unknown",
}
"""What stays open without collateral."""

CASES = {
    "v4 up to date, dcap-qvl's bundle": (
        "tdx/dcap-qvl/tdx_quote", ["tdx/dcap-qvl/tdx_quote_collateral.json"], datetime(2025, 6, 20, tzinfo=UTC), {},
        {"tcb_status": "UpToDate", "tcb_date": "2024-03-13T00:00:00Z", "advisories": [], "fmspc": "b0c06f000000"},
    ),
    "v5 up to date, the service's responses": (
        "tdx/google/quote_v5_sample.dat", [PCS], MARCH, {},
        {"tcb_status": "UpToDate", "tdx_version": "1.5", "quote_version": 5, "tcb_evaluation": 18},
    ),
    "v5 below every level": (
        "tdx/dcap-qvl/tdx_quote_outdated", ["tdx/dcap-qvl/tdx_quote_outdated_collateral.json"],
        datetime(2026, 2, 20, tzinfo=UTC), {"tcb": "tcb-not-supported"}, {"tcb_status": "NotSupported"},
    ),
    "v4 debuggable and out of date": (
        "tdx/trustee/tdx_quote_4.dat", [PCS], MARCH, {"tcb": "tcb-out-of-date", "debug": "debug"},
        {"debug": True, "tcb_status": "OutOfDate"},
    ),
    "collateral of another platform": (
        "tdx/trustee/tdx_quote_6.dat", [PCS], MARCH, {"tcb-info": "tcb-info-missing", "tcb": "tcb-unknown"}, {},
    ),
    "collateral a year old": (
        "tdx/google/quote_v5_sample.dat", ["tdx/google/sample_*", "tdx/attestation-rs-collateral/*chain*"], MARCH,
        {**OPEN, "qe-identity": "qe-identity-expired"}, {},
    ),
    "v5 with a service TD": (
        "tdx/trustee/tdx_quote_5.dat", [], MARCH, {**OPEN, "service-td": "service-td-bound"}, {"quote_version": 5},
    ),
    "Azure's TD by itself": (
        "tdx/trustee/tdx_quote_6.dat", [], MARCH, OPEN, {"quote_version": 4},
    ),
    "COS 113 with its CCEL": (
        "tdx/google/ccel/cos-113-tdx-quote.dat", ["tdx/google/ccel/ccel_data.dat"], MARCH, OPEN,
        {"event_log_covered": [0, 1, 2, 3], "secure_boot": False},
    ),
    "hex": ("tdx/dcap-qvl/tdx-quote.hex", [], MARCH, OPEN, {"debug": False}),
    "hex without 0x": ("tdx/dcap-qvl/quote-from-tappd.hex", [], MARCH, OPEN, {"debug": False}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_tdx(case):
    name, files, at, expected, claims = case
    appraisal = tdx.appraise(
        tdx.read(vector(name)), challenge=None, at=at, trust=tdx.TdxTrust(), collateral=collateral(*files)
    )
    assert codes(appraisal) == expected
    assert appraisal.passed is not bool(expected)
    assert {key: appraisal.claims[key] for key in claims} == claims
    assert appraisal.expires is not None and appraisal.expires > at


def test_sgx():
    at, files = datetime(2025, 6, 20, tzinfo=UTC), collateral("sgx/dcap-qvl/*.json")
    members = sgx.read(vector("sgx/dcap-qvl/sgx_quote"))
    appraisal = sgx.appraise(members, challenge=None, at=at, trust=sgx.SgxTrust(), collateral=files)
    assert codes(appraisal) == {"tcb": "tcb-configuration-and-sw-hardening-needed"}
    assert appraisal.claims["advisories"] == ["INTEL-SA-00289", "INTEL-SA-00615"]
    tolerant = sgx.SgxTrust(tcb_statuses=frozenset({"UpToDate", "ConfigurationAndSWHardeningNeeded"}))
    appraisal = sgx.appraise(members, challenge=b"Hello, world!", at=at, trust=tolerant, collateral=files)
    assert appraisal.passed
    assert [check.id for check in appraisal.checks if check.warning] == ["evidence.sgx.tcb"]
    assert {check.id for check in appraisal.checks if check.outcome == "PASS"} >= {"evidence.sgx.second-opinion"}


@pytest.mark.parametrize(
    ("read", "name", "kind", "code"),
    [
        (tdx, "tdx/google/tdx_prod_quote_SPR_E4.dat", MalformedError, "evidence.tdx.quote-trailing"),
        (tdx, "sgx/dcap-qvl/sgx_quote", UnsupportedError, "evidence.tdx.tee-unsupported"),
        (sgx, "tdx/dcap-qvl/tdx_quote", UnsupportedError, "evidence.sgx.tee-unsupported"),
        (sgx, "sgx/intel-qvl-sample/quote.dat", UnsupportedError, "evidence.sgx.certification-unsupported"),
        (tdx, "tdx/intel-qvl-sample/quote.dat", MalformedError, "evidence.tdx.pck-chain-malformed"),
    ],
)
def test_refused(read, name, kind, code):
    members = read.read(vector(name))
    with pytest.raises(kind) as caught:
        read.appraise(members, challenge=None, at=MARCH, trust=read.FORMAT.trust_class())
    assert caught.value.code == code


def test_production_quote_without_the_bytes_behind_it():
    """Google's sample has a marker behind its end, which is no part of it."""
    quote = vector("tdx/google/tdx_prod_quote_SPR_E4.dat")[:-39]
    appraisal = tdx.appraise({"quote": quote}, challenge=None, at=MARCH, trust=tdx.TdxTrust())
    assert codes(appraisal) == {**OPEN, "attributes": "sept-ve-disable-absent"}


def test_pinned_root():
    assert vector("tdx/dcap-qvl/TrustedRootCA.der") == INTEL_SGX_ROOT_CA
    fingerprint = "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3"
    assert hashlib.sha256(INTEL_SGX_ROOT_CA).hexdigest() == fingerprint


@pytest.mark.parametrize("folder", ["tdx", "sgx"])
def test_provenance(folder):
    listed = {entry["file"]: entry for entry in json.loads(vector(f"{folder}/provenance.json"))}
    made_here = {"provenance.json", "defects.json"}
    files = {str(path.relative_to(VECTORS / folder)) for path in (VECTORS / folder).rglob("*") if path.is_file()}
    assert files - made_here == set(listed)
    for name, entry in listed.items():
        data = vector(f"{folder}/{name}")
        assert (len(data), hashlib.sha256(data).hexdigest()) == (entry["bytes"], entry["sha256"]), name
