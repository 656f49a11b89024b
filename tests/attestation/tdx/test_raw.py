# SPDX-License-Identifier: AGPL-3.0-or-later
"""TDX and SGX evidence in the files in which others give it."""

from __future__ import annotations

import base64
import json

import pytest

from attestation import sgx, tdx
from attestation.errors import MalformedError
from attestation.raw import members_document
from tests.attestation.intel.judging import vector
from tests.attestation.intel.making import Paper

QUOTE, ENCLAVE = Paper().quote(), Paper(tdx=False, version=3).quote()
B64, URL = base64.b64encode(QUOTE).decode(), base64.urlsafe_b64encode(QUOTE).decode().rstrip("=")
LOG = b"\1\0\0\0" * 30


@pytest.mark.parametrize(
    "file",
    [
        QUOTE,
        QUOTE.hex().encode(),
        b"0x" + QUOTE.hex().encode() + b"\n",
        B64.encode(),
        URL.encode() + b"\n",
        QUOTE + bytes(70),
        QUOTE + bytes(-len(QUOTE) % 64),
        QUOTE + bytes(-len(QUOTE) % 8000),
        (QUOTE + bytes(70)).hex().encode(),
        json.dumps({"quote": QUOTE.hex()}).encode(),
        json.dumps({"quote": B64, "cc_eventlog": None}).encode(),
        json.dumps({"td_quote": URL}).encode(),
        json.dumps({"platform": "tdx", "evidence": {"quote": B64, "cc_eventlog": None}}).encode(),
        json.dumps({"tdx_quote": list(QUOTE), "vm_config": "{}"}).encode(),
        members_document("tdx-quote@v1", {"quote": QUOTE}),
        json.dumps({"tdx": {"runtime_data": None, "quote": B64, "verifier_nonce": {"val": "AA=="}}}).encode(),
        json.dumps({"tdx": {"quote": B64}, "tpm": {"quote": "/1RDR" + "A" * 2000}}).encode(),
        json.dumps([{"intel_quote": "0x" + QUOTE.hex()}, {"all": [{"intel_quote": "0x" + QUOTE.hex()}]}]).encode(),
        json.dumps({"tdxQuote": {"quote": QUOTE.hex(), "event_log": ""}, "deriveKey": [1]}).encode(),
        json.dumps({"type": "dcap", "quote_size": len(QUOTE), "quote_b64": B64 + "\n"}).encode(),
        json.dumps({"tdx": {"quote": B64}, "sgx": {"quote": ENCLAVE.hex()}}).encode(),
    ],
)
def test_forms(file):
    assert tdx.read(file) == {"quote": QUOTE}


@pytest.mark.parametrize("log", [base64.b64encode(LOG).decode(), LOG.hex(), list(LOG)])
def test_forms_with_a_log(log):
    for name in ("cc_eventlog", "ccel", "event_log"):
        assert tdx.read(json.dumps({"quote": B64, name: log}).encode()) == {"quote": QUOTE, "event_log": LOG}
        nested = {"answer": {"quote": B64, name: log}, name: "not this one"}
        assert tdx.read(json.dumps(nested).encode()) == {"quote": QUOTE, "event_log": LOG}


@pytest.mark.parametrize("surplus", [b"\1" * 70, b"\n39 bytes for nothing"])
def test_no_other_tail(surplus):
    assert tdx.read(QUOTE + surplus)["quote"] == QUOTE + surplus


@pytest.mark.parametrize("count", [1, 69, 71])
def test_no_other_buffer(count):
    # Signatures in DER differ in length from run to run: a count that fills a block of 64 would be a buffer.
    aligned = (len(QUOTE) + count) % 64 == 0
    surplus = bytes(count + 2 * aligned)
    assert tdx.read(QUOTE + surplus)["quote"] == QUOTE + surplus


@pytest.mark.parametrize(
    ("file", "code"),
    [
        (b"", "raw-empty"),
        (b"[]", "raw-malformed"),
        (b"{", "raw-malformed"),
        (b'{"a":1,"a":2}', "raw-malformed"),
        (b"{}", "raw-malformed"),
        (b'{"quote":"!"}', "raw-malformed"),
        (b'{"quote":[256]}', "raw-malformed"),
        (b'{"quote":[1.5]}', "raw-malformed"),
        (b'{"quote":5}', "raw-malformed"),
        (b'{"quote":"00","td_quote":"00"}', "raw-malformed"),
        (b'{"quote":"00","event_log":"[","x":1}', "raw-malformed"),
        (b'{"quote":"00","event_log":[{}]}', "raw-malformed"),
        (b'{"type":"sgx-quote@v1","members":{}}', "raw-malformed"),
        (json.dumps([{"quote": B64}, {"quote": URL}]).encode(), "raw-malformed"),
        (json.dumps({"tdx": {"quote": B64}, "quote": "AA"}).encode() + b"!", "raw-malformed"),
        (json.dumps({"tdx": {"puote": B64}}).encode(), "raw-malformed"),
        (json.dumps({"sgx": {"quote": ENCLAVE.hex()}}).encode(), "raw-malformed"),
        (b"0" * ((16 << 20) + 1), "raw-too-large"),
    ],
)
def test_no_evidence(file, code):
    with pytest.raises(MalformedError) as caught:
        tdx.read(file)
    assert caught.value.code == f"evidence.tdx.{code}"


def test_sgx_forms():
    for file in (ENCLAVE, ENCLAVE.hex().encode(), ENCLAVE + bytes(-len(ENCLAVE) % 64)):
        assert sgx.read(file) == {"quote": ENCLAVE}
    assert sgx.read(json.dumps({"quote": ENCLAVE.hex()}).encode()) == {"quote": ENCLAVE}
    assert sgx.read(json.dumps([{"tdx": {"quote": B64}, "sgx": {"quote": ENCLAVE.hex()}}]).encode()) == {
        "quote": ENCLAVE
    }
    assert sgx.read(members_document("sgx-quote@v1", {"quote": ENCLAVE})) == {"quote": ENCLAVE}
    for file in (b"{}", b"[]", b'{"quote":1}'):
        with pytest.raises(MalformedError) as caught:
            sgx.read(file)
        assert caught.value.code == "evidence.sgx.raw-malformed"


def test_real_files_are_one_quote():
    sizes = {
        "tdx/dcap-qvl/tdx_quote": 4936,
        "tdx/dcap-qvl/tdx-quote.hex": 4936,
        "tdx/google/ccel/cos-113-tdx-quote.dat": 4935,
        "tdx/google/quote_v5_sample.dat": 5006,
        "tdx/trustee/tdx_quote_6.dat": 4936,
        "tdx/dstack/quote-report.json": 4936,
    }
    assert {name: len(tdx.read(vector(name))["quote"]) for name in sizes} == sizes
