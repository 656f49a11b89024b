# SPDX-License-Identifier: AGPL-3.0-or-later
"""AMD, Intel and NVIDIA: the right questions, wrong answers refused, and evidence that passes with what was fetched."""

from __future__ import annotations

import json
from functools import partial

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from affidavit.collateral import nvidia as nvidia_fetcher
from affidavit.collateral.fetching import FETCHERS, fetch
from attestation.collateral import sort_collateral
from attestation.formats import FORMATS
from attestation.nvidia import NvidiaTrust
from attestation.snp import appraise as appraise_snp
from tests.attestation.intel import making
from tests.attestation.intel.judging import judge as judge_intel
from tests.attestation.nvidia import paper as nvidia
from tests.attestation.snp import paper as amd
from tests.attestation.snp.real import read as real
from tests.collateral.vendors import (
    AT,
    DRIVER_RIM,
    KDS,
    VBIOS_RIM,
    VCEK,
    Clock,
    Vendor,
    gpus,
    kds,
    ok,
    pcs,
    rim_service,
    serving,
    source,
)  # fmt: skip
from verifier.errors import VerifierError


@pytest.fixture
def vendor():
    with serving(Vendor()) as found:
        yield found


@pytest.fixture
def get(vendor):
    def run(type_, members):
        with source(Clock(nvidia.AT if type_.startswith("nvidia") else AT)) as found:
            return fetch(type_, members, found, vendor.services)

    return run


def refused(call) -> tuple[str, str]:
    with pytest.raises(VerifierError) as caught:
        call()
    return caught.value.code, caught.value.message


def bag(pieces):
    return sort_collateral(piece.data for piece in pieces)


def test_types_are_formats():
    assert set(FETCHERS) <= set(FORMATS)


# AMD.


def snp(get, report=None, certificates=b""):
    return get(
        "snp-report@v1", {"report": report or amd.report(), **({"certificates": certificates} if certificates else {})}
    )


def test_snp_passes_with_what_was_fetched(get, vendor):
    vendor.routes = kds()
    pieces = snp(get)
    assert vendor.asked == [VCEK, f"{KDS}/cert_chain", f"{KDS}/crl"]
    assert [(piece.label, piece.suffix) for piece in pieces] == [
        ("vcek", "der"), ("sev-milan-chain", "pem"), ("ark-milan-crl", "der"),
    ]  # fmt: skip
    trust = amd.trust(require_crl=True, intermediates=())
    alone = {"report": amd.report()}
    found = appraise_snp(alone, challenge=None, at=AT, trust=trust, collateral=bag(pieces))
    assert found.passed and found.expires == min(piece.expires for piece in pieces)
    assert not appraise_snp(alone, challenge=None, at=AT, trust=trust).passed


def test_hosts_certificate_is_not_asked_for_again(get, vendor):
    vendor.routes = kds()
    snp(get, certificates=amd.der(amd.vek()))
    assert vendor.asked == [f"{KDS}/cert_chain", f"{KDS}/crl"]


def test_turin_has_another_chip_id_and_order(get, vendor):
    path = f"/vcek/v1/Turin/{amd.HWID[:8].hex()}?fmcSPL=01&blSPL=01&teeSPL=01&snpSPL=04&ucodeSPL=81"
    vendor.routes = {path: ok(amd.der(amd.vek("Turin")))}
    assert refused(lambda: snp(get, amd.report("Turin")))[0] == "collateral.absent", "its chain"
    assert vendor.asked[0] == path


def test_reports_that_do_not_name_their_line(get, vendor):
    """Version 2: Milan and Genoa are tried."""
    vendor.routes = kds()
    assert len(snp(get, amd.report(version=2, cpuid=None))) == 3
    vendor.asked.clear()
    del vendor.routes[VCEK]
    assert refused(lambda: snp(get, amd.report(version=2, cpuid=None)))[0] == "collateral.absent"
    assert [path.split("/")[3] for path in vendor.asked] == ["Milan", "Genoa"]


def test_a_real_report_asks_for_its_own_certificate(get, vendor):
    """The URL of a real machine, and its real VCEK accepted."""
    from attestation.snp.raw import split

    report, chain = real("ms-milan/report.bin"), real("ms-milan/vcek.pem")
    vcek = split(report, chain)["certificates"]
    snp_path = "/vcek/v1/Milan/"
    assert refused(lambda: snp(get, report))[0] == "collateral.absent"
    [asked] = [path for path in vendor.asked if path.startswith(snp_path)]
    vendor.routes = kds(**{asked: ok(vcek)})
    assert snp(get, report)[0].data == vcek


def test_nobody_can_ask(get):
    assert refused(lambda: snp(get, amd.report(chip_id=bytes(64))))[0] == "collateral.chip-masked"
    assert refused(lambda: snp(get, amd.report(signing_key="vlek")))[0] == "collateral.absent"
    assert refused(lambda: get("snp-report@v1", {"report": b"short"}))[0] == "collateral.evidence-unreadable"
    assert refused(lambda: get("snp-report@v1", {}))[0] == "collateral.evidence-unreadable"
    assert refused(lambda: get("tpm2-quote@v1", {}))[0] == "collateral.type-unsupported"


def test_vlek_lists_are_another_branch(get, vendor):
    vendor.routes = kds(**{path.replace("vcek", "vlek"): reply for path, reply in kds().items() if path != VCEK})
    snp(get, amd.report(signing_key="vlek"), amd.der(amd.vek(kind="vlek")))
    assert vendor.asked == ["/vlek/v1/Milan/cert_chain", "/vlek/v1/Milan/crl"]


def pem(*certificates):
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (VCEK, b"<html>"),
        (VCEK, amd.der(amd.ask())),
        (VCEK, amd.der(amd.vek(hwid=bytes(64)))),
        (VCEK, amd.der(amd.vek(tcb=bytes(8)))),
        (VCEK, amd.der(amd.vek(kind="vlek"))),
        (VCEK, amd.der(amd.vek()) + b"x"),
        (f"{KDS}/cert_chain", b""),
        (f"{KDS}/cert_chain", amd.der(amd.ark())),
        (f"{KDS}/cert_chain", pem(amd.ca("../../evil", "ARK-Milan"), amd.ark())),
        (f"{KDS}/cert_chain", pem(amd.ca("/tmp/evil", "ARK-Milan"), amd.ark())),
        (f"{KDS}/cert_chain", pem(amd.ask("Genoa"), amd.ark())),
        (f"{KDS}/crl", b"{}"),
        (f"{KDS}/crl", amd.crl("ARK-Genoa")),
        (f"{KDS}/crl", amd.der(amd.ark())),
    ],
)
def test_amd_wrong_content(get, vendor, path, body):
    vendor.routes = kds(**{path: ok(body)})
    assert refused(lambda: snp(get))[0] == "collateral.content-wrong"


# Intel.


@pytest.mark.parametrize("tdx", [True, False])
def test_quotes_pass_with_what_was_fetched(get, vendor, tdx):
    platform = making.Paper(tdx=tdx, version=4 if tdx else 3)
    vendor.routes = pcs(platform)
    pieces = get("tdx-quote@v1" if tdx else "sgx-quote@v1", {"quote": platform.quote()})
    assert len(vendor.asked) == 4 and {piece.label for piece in pieces} == {
        "tcb-info", "tcb-info-chain", "qe-identity", "qe-identity-chain", "pck-crl", "pck-crl-chain", "root-ca-crl",
    }  # fmt: skip
    options = {"challenge": making.CHALLENGE} if tdx else {"challenge": None}
    passed = judge_intel(platform, collateral=bag(pieces), **options)
    assert {check.code for check in (*passed.failed, *passed.missing)} == set()


def test_processor_ca_and_hex_lists(get, vendor):
    """A cache gives the root's list in hex."""
    platform = making.Paper(ca_name="Intel SGX PCK Processor CA")
    vendor.routes = pcs(platform, "processor")
    root_crl = platform.files()["root_crl"]
    vendor.routes["/IntelSGXRootCA.der"] = ok(root_crl.hex().encode())
    pieces = get("tdx-quote@v1", {"quote": platform.quote()})
    assert pieces[-1].data == root_crl
    other = making.Paper(ca_name="Somebody's CA")
    assert refused(lambda: get("tdx-quote@v1", {"quote": other.quote()}))[0] == "collateral.absent"
    assert refused(lambda: get("tdx-quote@v1", {"quote": b"?"}))[0] == "collateral.evidence-unreadable"


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("tcb?", lambda reply: ok(reply[1])),  # without the header
        ("tcb?", lambda reply: (200, reply[1], {"TCB-Info-Issuer-Chain": "no%20PEM"})),
        ("tcb?", lambda reply: (200, b"[]", reply[2])),
        ("tcb?", lambda reply: (200, b'{"tcbInfo": {}}', reply[2])),
        ("tcb?", lambda reply: (200, reply[1].replace(b'"TDX"', b'"SGX"'), reply[2])),
        ("tcb?", lambda reply: (200, reply[1].replace(b"90C06F", b"90C06E"), reply[2])),
        ("identity", lambda reply: (200, reply[1].replace(b'"TD_QE"', b'"QE"'), reply[2])),
        ("pckcrl", lambda reply: (200, b"no list", reply[2])),
        ("RootCA", lambda reply: ok(making.der(making.Paper().pck_list()))),
    ],
)
def test_intel_wrong_content(get, vendor, path, change):
    vendor.routes = pcs(making.Paper())
    [name] = [route for route in vendor.routes if path in route]
    vendor.routes[name] = change(vendor.routes[name])
    assert refused(lambda: get("tdx-quote@v1", {"quote": making.Paper().quote()}))[0] == "collateral.content-wrong"


EXPIRED = {"nextUpdate": "2026-06-01T12:00:00Z"}


@pytest.mark.parametrize("changes", [{"tcb_info": EXPIRED}, {"qe_identity": EXPIRED}])
def test_intel_expired(get, vendor, changes):
    vendor.routes = pcs(making.Paper(**changes))
    assert refused(lambda: get("tdx-quote@v1", {"quote": making.Paper().quote()}))[0] == "collateral.expired"


# NVIDIA.


@pytest.fixture
def paper_roots(monkeypatch):
    roots = partial(NvidiaTrust, device_roots=(nvidia.device_root().der,), rim_roots=(nvidia.rim_root().der,))
    monkeypatch.setattr(nvidia_fetcher, "NvidiaTrust", roots)


def test_gpus_pass_with_what_was_fetched(get, vendor, paper_roots):
    vendor.routes = rim_service()
    members = gpus(2)
    pieces = get("nvidia-gpu@v1", members)
    labels = [piece.label for piece in pieces]
    assert labels.count("rim-driver") == labels.count("rim-vbios") == 1, "two devices, one set of RIMs"
    assert labels.count("ocsp") == len({piece.data for piece in pieces}) - 2
    found = nvidia.judge(members, collateral=bag(pieces), at=nvidia.AT)
    assert nvidia.faults(found) == set() and found.passed


def test_rims_that_there_are_not(get, vendor, paper_roots):
    vendor.routes = {path: reply for path, reply in rim_service().items() if VBIOS_RIM not in path}
    code, message = refused(lambda: get("nvidia-gpu@v1", gpus()))
    assert code == "collateral.absent" and VBIOS_RIM in message


def test_versions_are_not_paths(get, vendor, paper_roots):
    """A report says what it likes until it is verified."""
    fields = {**nvidia.device().fields, 3: b"../../admin?x=\0"}
    members = {"report_0": nvidia.report(fields=fields), "chain_0": nvidia.device().der}
    assert refused(lambda: get("nvidia-gpu@v1", members))[0] == "collateral.absent" and vendor.asked == []
    assert refused(lambda: get("nvidia-gpu@v1", {"report_0": members["report_0"]}))[0] == "collateral.absent"


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"[]",
        json.dumps({"id": "other", "rim": ""}).encode(),
        json.dumps({"id": DRIVER_RIM, "rim": "!"}).encode(),
        json.dumps({"id": DRIVER_RIM, "rim": "PHg+PC94Pg=="}).encode(),
    ],
)
def test_rims_that_are_none(get, vendor, paper_roots, body):
    vendor.routes = {**rim_service(), f"/v1/rim/{DRIVER_RIM}": ok(body)}
    assert refused(lambda: get("nvidia-gpu@v1", gpus()))[0] == "collateral.content-wrong"


@pytest.mark.parametrize("body", [b"", b"<html>", nvidia.responses()[-1]])
def test_status_of_something_else(get, vendor, paper_roots, body):
    vendor.routes = {**rim_service(), "/ocsp": ok(body)}
    assert refused(lambda: get("nvidia-gpu@v1", gpus()))[0] == "collateral.content-wrong"
