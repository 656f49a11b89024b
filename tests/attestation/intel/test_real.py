# SPDX-License-Identifier: AGPL-3.0-or-later
"""Real quotes with real collateral, each with the result that it must have."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from attestation import sgx, tdx
from attestation.errors import MalformedError, UnsupportedError
from attestation.intel.pem import encode_certificate, rewrapped
from attestation.intel.quote import SGX, TDX, parse_quote
from attestation.intel.roots import INTEL_SGX_ROOT_CA, INTEL_SGX_ROOT_CA_2033
from attestation.pki.path import issued
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


def test_the_root_as_it_was_issued_first():
    """Nothing but Intel's key vouches for it: the pinned root's own name and key, and that key's signature."""
    root, first = map(x509.load_der_x509_certificate, (INTEL_SGX_ROOT_CA, INTEL_SGX_ROOT_CA_2033))
    assert (root.subject, root.serial_number) == (first.subject, first.serial_number)
    assert root.public_key() == first.public_key() and issued(first, root) and issued(root, first)
    assert first.not_valid_after_utc == datetime(2033, 5, 21, 10, 41, 10, tzinfo=UTC)
    fingerprint = "fc64f8076d79a4fee9d1d473d74c89eb8d8fd55c5abafeabeba7366d20429404"
    assert hashlib.sha256(INTEL_SGX_ROOT_CA_2033).hexdigest() == fingerprint


EARLY = {"sgx/fortanix/quote.bin": {"debug": "debug"}, "sgx/azure-samples/oe.enclave.info.release.json": {}}
"""Quotes of 2020 and 2021: chains up to the root as issued first; one in lines of 76, one in Open Enclave's header."""


@pytest.mark.parametrize("name", EARLY)
def test_early_quotes(name):
    at, members = datetime(2022, 1, 1, tzinfo=UTC), sgx.read(vector(name))
    appraisal = sgx.appraise(members, challenge=None, at=at, trust=sgx.SgxTrust())
    assert codes(appraisal) == {**OPEN, **EARLY[name]}
    assert appraisal.expires is not None and at < appraisal.expires <= datetime(2033, 5, 21, 10, 41, 10, tzinfo=UTC)
    # Without that root the chain leads to the key of the other, but has something in it that is no anchor.
    later = sgx.appraise(members, challenge=None, at=at, trust=sgx.SgxTrust(roots=(INTEL_SGX_ROOT_CA,)))
    assert codes(later)["pck-certificate"] == "pck-untrusted"


def test_a_chain_in_lines_of_76_has_one_form_and_no_third():
    data = vector("sgx/fortanix/quote.bin")
    quote = parse_quote(data, SGX, "evidence.sgx")
    with pytest.raises(MalformedError, match="canonical"):
        sgx.appraise({"quote": data}, challenge=None, at=MARCH, trust=sgx.SgxTrust())
    read = parse_quote(sgx.read(data)["quote"], SGX, "evidence.sgx")
    assert read.pck_chain == rewrapped(quote.pck_chain) == rewrapped(read.pck_chain) != quote.pck_chain
    assert replace(read, pck_chain=quote.pck_chain).encode() == data
    chain = quote.pck_chain
    for other in (chain.replace(b"\n", b"\r\n"), chain[:100] + b"\n" + chain[100:], chain + b"\n", b"", b"\0"):
        assert rewrapped(other) == other
    parsed = x509.load_pem_x509_certificates(quote.pck_chain)
    for line in (60, 63, 65, 72, 75, 77):
        again = b"".join(encode_certificate(c.public_bytes(Encoding.DER), line) for c in parsed)
        assert rewrapped(again) == again


def test_tdx_quotes_in_lines_of_76():
    quote = parse_quote(tdx.read(vector("tdx/dcap-qvl/tdx_quote"))["quote"], TDX, "evidence.tdx")
    certificates = x509.load_pem_x509_certificates(quote.pck_chain.rstrip(b"\0"))
    wide = b"".join(encode_certificate(c.public_bytes(Encoding.DER), 76) for c in certificates)
    members = tdx.read(replace(quote, pck_chain=wide).encode())
    assert members["quote"] == replace(quote, pck_chain=rewrapped(wide)).encode()


@pytest.mark.parametrize(
    "key", ["quote", "Quote", "QuoteHex", "quote_b64", "td_quote", "tdx_quote_base64", "sgxQuote", "outblob"]
)
def test_names_of_a_quote_in_json(key):
    quote = vector("sgx/dcap-qvl/sgx_quote")
    for text in (quote.hex(), base64.b64encode(quote).decode(), base64.urlsafe_b64encode(quote).decode()):
        assert sgx.read(json.dumps({key: text, "EnclaveHeldDataHex": "00"}).encode()) == {"quote": quote}
    with pytest.raises(MalformedError) as caught:
        sgx.read(json.dumps({key: quote.hex(), "QUOTE": quote.hex(), "Quote_Hex": quote.hex()}).encode())
    assert caught.value.code == "evidence.sgx.raw-malformed"


def test_open_enclaves_header():
    quote = vector("sgx/dcap-qvl/sgx_quote")
    header = (1).to_bytes(4, "little") + (2).to_bytes(4, "little") + len(quote).to_bytes(8, "little")
    assert sgx.read(header + quote) == {"quote": quote}
    for changed in range(8 * len(header)):
        flipped = bytearray(header + quote)
        flipped[changed // 8] ^= 1 << changed % 8
        assert sgx.read(bytes(flipped)) != {"quote": quote}
    assert sgx.read(header + quote + b"\0") != {"quote": quote}


def test_tsm_reports():
    quote = tdx.read(vector("tdx/dcap-qvl/tdx_quote"))["quote"]
    for buffer in (quote, vector("tdx/dcap-qvl/tdx_quote")):
        report = {"provider": "tdx_guest\n", "outblob": buffer}
        assert tdx.read(cbor2.dumps(report)) == {"quote": quote}
        text = {**report, "outblob": base64.urlsafe_b64encode(buffer).decode().rstrip("=")}
        assert tdx.read(json.dumps(text).encode()) == {"quote": quote}
    for bad in (
        {"outblob": quote, 1: 2},
        {"outblob": quote, "quote": quote},
        {"outblob": 7},
        {"outblob": quote, "provider": "other"},
        {"outblob": quote, "provider": 1},
        {"outblob": quote, "qrovider": "tdx_guest"},
    ):
        with pytest.raises(MalformedError) as caught:
            tdx.read(cbor2.dumps(bad))
        assert caught.value.code == "evidence.tdx.raw-malformed"
    with pytest.raises(MalformedError) as caught:
        tdx.read(cbor2.dumps({"outblob": quote}) + b"\0")
    assert caught.value.code == "evidence.tdx.raw-malformed"


@pytest.mark.parametrize("folder", ["tdx", "sgx"])
def test_provenance(folder):
    listed = {entry["file"]: entry for entry in json.loads(vector(f"{folder}/provenance.json"))}
    made_here = {"provenance.json", "defects.json"}
    files = {str(path.relative_to(VECTORS / folder)) for path in (VECTORS / folder).rglob("*") if path.is_file()}
    assert files - made_here == set(listed)
    for name, entry in listed.items():
        data = vector(f"{folder}/{name}")
        assert (len(data), hashlib.sha256(data).hexdigest()) == (entry["bytes"], entry["sha256"]), name
