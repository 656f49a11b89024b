# SPDX-License-Identifier: AGPL-3.0-or-later
"""Azure's TDX VMs: real evidence of two verifiers, and one defect each."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest

from attestation import azure_tdx
from attestation.azure_tdx import AzureTdxTrust
from attestation.azure_tdx.raw import complete
from attestation.collateral import EMPTY, sort_collateral
from attestation.errors import MalformedError, UnsupportedError
from attestation.raw import members_document
from attestation.tdx import TdxTrust
from attestation.tpm2 import Tpm2Trust
from tests.attestation.intel.judging import vector

AT = datetime(2026, 1, 10, tzinfo=UTC)
OPEN = {
    "evidence.tdx.pck-crl-missing",
    "evidence.tdx.pck-ca-crl-missing",
    "evidence.tdx.tcb-info-missing",
    "evidence.tdx.qe-identity-missing",
    "evidence.tdx.tcb-unknown",
}
FILES = {
    "tdx/trustee-az-tdx-vtpm/evidence-v0.json": b"challenge",
    "tdx/trustee-az-tdx-vtpm/evidence-v1.json": b"challenge",
    "tdx/attestation-rs-azure/live-evidence.json": b"attestation-test-fixture",
}
V1 = "tdx/trustee-az-tdx-vtpm/evidence-v1.json"


def judge(members, challenge=b"challenge", **trust):
    return azure_tdx.appraise(members, challenge=challenge, at=AT, trust=AzureTdxTrust(**trust))


def refusals(appraisal):
    assert {check.code for check in appraisal.missing} >= OPEN
    return {check.code for check in appraisal.failed}


@pytest.mark.parametrize(("name", "challenge"), FILES.items())
def test_real(name, challenge):
    """All but Intel's collateral is there, and all of it holds."""
    members = azure_tdx.read(vector(name))
    appraisal = judge(members, challenge)
    assert refusals(appraisal) == set() and {check.code for check in appraisal.missing} == OPEN
    claims = appraisal.claims
    assert claims["report_data"] == challenge.hex() and claims["debug"] is False
    assert len(claims["pcrs"]) == 24 and "vm_configuration" in claims and len(claims["measurement"]) == 96
    assert azure_tdx.read(members_document("azure-tdx-vtpm@v1", members)) == members


def test_parts_of_different_machines_do_not_mix():
    here, there = (azure_tdx.read(vector(name)) for name in list(FILES)[1:])
    assert refusals(judge({**here, "runtime_data": there["runtime_data"]})) == {
        "evidence.azure.runtime-data-mismatch",
        "evidence.tpm2.signature-invalid",
    }
    assert refusals(judge({**here, "quote": there["quote"]})) == {"evidence.azure.runtime-data-mismatch"}
    quote = {name: there[name] for name in ("attest", "signature", "pcrs")}
    assert refusals(judge({**here, **quote}, list(FILES.values())[2])) == {"evidence.tpm2.signature-invalid"}


def test_challenges():
    members = azure_tdx.read(vector(V1))
    for wrong in (b"challeng", b"challenge\0", bytes(32), b"x"):
        assert refusals(judge(members, wrong)) == {"evidence.tpm2.challenge-mismatch"}
    assert refusals(judge(members, None)) == set()


def test_without_the_vtpms_quote():
    members = azure_tdx.read(vector(V1))
    bare = {name: members[name] for name in ("quote", "runtime_data")}
    assert "evidence.azure.quote-missing" in {check.code for check in judge(bare).missing}
    with pytest.raises(MalformedError) as caught:
        judge({**bare, "attest": members["attest"]})
    assert caught.value.code == "evidence.azure.quote-incomplete"


def test_settings_reach_their_part():
    members = azure_tdx.read(vector(V1))
    assert refusals(judge(members, td=TdxTrust())) == {"evidence.tdx.sept-ve-disable-absent"}
    pcrs = Tpm2Trust(reference_pcrs={("sha256", 0): frozenset({bytes(32)})})
    assert refusals(judge(members, vtpm=pcrs)) == {"evidence.tpm2.pcr-value-unexpected"}
    reference = TdxTrust(require_sept_ve_disable=False, reference={"mr_td": frozenset({bytes(48)})})
    assert refusals(judge(members, td=reference)) == {"evidence.tdx.reference-mismatch"}


def flipped(data, bit):
    found = bytearray(data)
    found[bit // 8] ^= 1 << bit % 8
    return bytes(found)


@pytest.mark.parametrize("name", ["quote", "runtime_data", "attest", "signature", "pcrs"])
def test_flipped_bits_of_members(name):
    """Every flip is refused, by its grammar or by a line of its own."""
    members = azure_tdx.read(vector(V1))
    step = 1 if len(members[name]) < 300 else 37
    for bit in range(0, len(members[name]) * 8, step):
        try:
            appraisal = judge({**members, name: flipped(members[name], bit)})
        except (MalformedError, UnsupportedError):
            continue
        # A certificate of an unknown algorithm is no fault that could be shown: open, not false.
        assert appraisal.failed or {check.code for check in appraisal.missing} - OPEN, (name, bit)


def with_hcl(change):
    found = json.loads(vector(V1))
    report = bytearray(base64.urlsafe_b64decode(found["hcl_report"] + "=="))
    change(report)
    return json.dumps({**found, "hcl_report": base64.urlsafe_b64encode(report).decode()}).encode()


MAC = range(32 + 224, 32 + 256)


def test_flipped_bits_of_the_hcl_report():
    """All but the TDREPORT's MAC, which its own CPU alone can verify and of which nothing is kept."""
    kept = azure_tdx.read(vector(V1))
    size = 32 + 1184 + 20 + len(kept["runtime_data"])
    for octet in range(0, size, 3):

        def flip(report, octet=octet):
            report[octet] ^= 1 << octet % 8

        try:
            members = azure_tdx.read(with_hcl(flip))
            failed = judge(members).failed
        except MalformedError:
            continue
        # Of the MAC nothing is kept; any other change that is read is refused.
        assert failed or (octet in MAC and members == kept), octet


def test_td_report_of_another_quote():
    here, there = (json.loads(vector(name)) for name in list(FILES)[1:])
    with pytest.raises(MalformedError) as caught:
        azure_tdx.read(json.dumps({**here, "td_quote": there["td_quote"]}).encode())
    assert caught.value.code == "evidence.azure-tdx.td-report-mismatch"


@pytest.mark.parametrize("file", [b"", b"{}", b"[]", b"x" * 100, b'{"type":"x@v1","members":{}}'])
def test_no_evidence(file):
    with pytest.raises(MalformedError) as caught:
        azure_tdx.read(file)
    assert caught.value.code.startswith("evidence.azure-tdx.raw-")


def test_an_hcl_report_alone_is_told_what_it_lacks():
    found = json.loads(vector(V1))
    del found["td_quote"]
    for data in (found["hcl_report"].encode(), json.dumps(found).encode()):
        with pytest.raises(UnsupportedError, match="without its TD quote") as caught:
            complete(azure_tdx.read(data), EMPTY)
        assert caught.value.code == "evidence.azure-tdx.td-quote-missing" and "collateral" in caught.value.remedy


def test_an_hcl_report_with_its_quotes_beside_it():
    """As they come from NV index, metadata service and tpm2_quote; those of another machine change nothing."""
    whole, found = azure_tdx.read(vector(V1)), json.loads(vector(V1))
    other = json.loads(vector(list(FILES)[2]))
    strangers = [other["td_quote"].encode(), other["tpm_quote"]["message"].encode(), b"\x04\0\2\0\x81\0\0\0"]
    beside = [found["td_quote"].encode(), whole["attest"], whole["signature"]]
    values = b"".join(bytes.fromhex(line.split(b" ")[2].decode()) for line in whole["pcrs"].splitlines())
    alone = azure_tdx.read(found["hcl_report"].encode())
    assert complete(alone, sort_collateral([*strangers, *beside, values])) == whole
    quoteless = {name: whole[name] for name in ("quote", "runtime_data")}
    assert complete(alone, sort_collateral([*strangers, *beside])) == quoteless  # without PCRs
    with pytest.raises(UnsupportedError):
        complete(alone, sort_collateral(strangers))
    with pytest.raises(MalformedError):
        complete({"hcl_report": b"HCLA"}, EMPTY)
    with pytest.raises(MalformedError):  # not a member of evidence that nothing completed
        judge(alone)


def test_evidence_of_another_kind():
    found = json.loads(vector(V1))
    quote = base64.urlsafe_b64encode(vector("sgx/dcap-qvl/sgx_quote")).decode()
    for wrong in ({**found, "td_quote": quote}, {**found, "td_quote": 5}):
        with pytest.raises(MalformedError) as caught:
            azure_tdx.read(json.dumps(wrong).encode())
        assert caught.value.code == "evidence.azure-tdx.raw-malformed"
