# SPDX-License-Identifier: AGPL-3.0-or-later
"""Real reports of real chips: accepted, read right, and refused after any change of a single bit."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from attestation import azure_snp, snp
from attestation.collateral import sort_collateral
from attestation.errors import MalformedError
from attestation.pki.certificate import load_chain
from attestation.snp import SnpTrust
from attestation.snp import roots as pinned
from attestation.snp.bulletins import STATUSES
from attestation.snp.bundle import arrange
from attestation.snp.report import parse_report
from tests.attestation.snp import real
from tests.attestation.snp.real import REPORTS, WITHOUT_CRL, codes, judge, members

PRODUCTS = {"milan": "Milan", "genoa": "Genoa", "turin": "Turin"}


def test_vectors_are_what_their_sources_published():
    entries = json.loads(real.read("provenance.json"))
    for entry in entries:
        assert hashlib.sha256(real.read(entry["file"])).hexdigest() == entry["sha256"]
        assert entry["repository"] and len(entry["commit"]) == 40 and entry["license"]
    ours = {"provenance.json", "defects.json"}
    files = {str(path.relative_to(real.SNP)) for path in real.SNP.rglob("*") if path.is_file()}
    assert files == {entry["file"] for entry in entries} | ours


def test_pinned_certificates_are_amds():
    published = {
        certificate.public_bytes(Encoding.DER)
        for path in sorted((real.SNP / "amd-roots").glob("*.pem"))
        for certificate in x509.load_pem_x509_certificates(path.read_bytes())
    }
    assert {*pinned.ROOTS, *pinned.INTERMEDIATES} == published
    roots = [x509.load_der_x509_certificate(data) for data in pinned.ROOTS]
    assert all(root.issuer == root.subject for root in roots)
    assert hashlib.sha256(pinned.ARK_MILAN).hexdigest().startswith("69d063b45344d26a")
    assert hashlib.sha256(pinned.ARK_GENOA).hexdigest().startswith("4c6598d19c18719c")
    assert hashlib.sha256(pinned.ARK_TURIN).hexdigest().startswith("1f084161a44bb6d9")


@pytest.mark.parametrize("name", [name for name in REPORTS if name != "milan-v2-debug"])
def test_real_reports_pass(name):
    appraisal = judge(members(name), when=real.at(name))
    assert appraisal.passed, codes(appraisal)
    assert appraisal.claims["product"] == PRODUCTS[name.partition("-")[0]]
    assert appraisal.claims["debug"] is False and len(appraisal.claims["measurement"]) == 96
    assert appraisal.expires is not None and appraisal.expires > real.at(name)


@pytest.mark.parametrize("name", [name for name in REPORTS if name != "milan-v2-debug"])
def test_strict_trust_waits_for_a_list_of_revoked_certificates(name):
    appraisal = judge(members(name), when=real.at(name), trust=SnpTrust(bulletin_statuses=STATUSES))
    assert not appraisal.passed and codes(appraisal) == {"evidence.snp.issuer-crl-missing"}


@pytest.mark.parametrize("form", ["json", "cbor"])
def test_tsm_reports(form):
    """What the kernel gives, as Veraison's agent writes it: the report is one blob, certificates are another."""
    found = snp.read(real.read(f"veraison/sevsnp-tsm-report.{form}"))
    appraisal = judge(found, when=datetime(2025, 6, 20, tzinfo=UTC))
    assert appraisal.passed, codes(appraisal)
    assert (appraisal.claims["product"], appraisal.claims["report_version"]) == ("Genoa", 3)
    assert found == snp.read(real.read("veraison/sevsnp-tsm-report.json"))


def thim(name):
    """The certificates as Azure's host metadata gives them."""
    loaded = load_chain(members(name)["certificates"], "x")
    vcek, *others = (certificate.public_bytes(Encoding.PEM).decode() for certificate in loaded)
    return {"vcekCert": vcek, "tcbm": "DB18000000000004", "certificateChain": "".join(others), "cacheControl": "86400"}


@pytest.mark.parametrize("wrapped", [lambda found: found, lambda found: {"certificates": [found]}])
def test_certificates_in_json_of_the_collateral(wrapped):
    name = "milan-v3"
    report = {"report": members(name)["report"]}
    assert codes(judge(report, when=real.at(name))) == {"evidence.snp.vek-missing"}
    other = b'{"vcekCert": 1, "x": "' + b"-" * 300 + b'"}'
    files = [json.dumps(wrapped(thim(name))).encode(), b"{", b"[" * 5000, other]
    appraisal = judge(report, when=real.at(name), collateral=sort_collateral(files))
    assert appraisal.passed, codes(appraisal)
    vcek = load_chain(members(name)["certificates"], "x")[0].public_bytes(Encoding.DER)
    encoded = json.dumps({"vcek": base64.b64encode(vcek).decode()}).encode()
    assert judge(report, when=real.at(name), collateral=sort_collateral([encoded])).passed


def test_debugging_never_passes_without_a_warning():
    base = members("milan-v2-debug")
    challenge = bytes([1, 2, 3, 4, 5])
    refused = judge(base, challenge)
    assert codes(refused) == {"evidence.snp.debug-enabled"} and refused.claims["debug"] is True
    tolerated = judge(base, challenge, trust=SnpTrust(**real.TOLERANT, allow_debug=True))
    assert tolerated.passed and {check.id for check in tolerated.checks if check.warning} == {
        "evidence.snp.debug",
        "evidence.snp.tcb-status",
    }


def test_what_the_reports_say():
    turin = judge(members("turin-v5")).claims
    assert turin["tcb"]["reported"] == {"fmc": 1, "bootloader": 1, "tee": 1, "snp": 4, "microcode": 81}
    assert turin["platform_id"] == "59790fb1c39f35c1" and turin["report_version"] == 5
    assert turin["cpuid"] == {"family": 0x1A, "model": 2, "stepping": 1}
    assert turin["launch_mitigations"] == "0x3f" == turin["current_mitigations"]
    genoa = judge(members("genoa-v3")).claims
    assert genoa["tcb"]["launch"] == {"bootloader": 10, "tee": 0, "snp": 23, "microcode": 84}
    assert genoa["policy"]["smt"] and not genoa["policy"]["debug"] and genoa["policy"]["abi"] == "0.31"
    bergamo = judge(members("genoa-v5"), b"hello-attestation").claims
    assert bergamo["cpuid"]["model"] == 0xA0 and bergamo["product"] == "Genoa" and bergamo["report_version"] == 5
    evidence = snp.read(real.read("attestation-rs-bergamo/live-evidence-genoa.json"))
    assert judge(evidence, b"genoa-test-fixture").passed
    vlek = judge(members("milan-vlek"), when=real.VLEK_AT)
    assert vlek.claims["csp_id"].endswith(".amazonaws.com") and vlek.claims["signing_key"] == "vlek"
    assert vlek.claims["vmpl"] == 1 and "evidence.snp.vmpl" in [check.id for check in vlek.checks if check.warning]
    assert "platform_id" not in vlek.claims and vlek.claims["provisional_firmware"] is True
    assert "cpuid" not in judge(members("milan-v2")).claims


@pytest.mark.parametrize("forged", ["trustee/test-vcek-invalid-legacy.der", "trustee/test-vcek-invalid-new.der"])
def test_forged_certificates(forged):
    base = {**members("milan-v2"), "certificates": arrange(real.read(forged))}
    assert codes(judge(base)) >= {"evidence.snp.vek-chain-broken", "evidence.snp.chip-mismatch"}


def test_certificates_of_collateral():
    """All certificates of all sets in one folder: the right one is found, and roots in it count for nothing."""
    files = [path.read_bytes() for path in sorted(real.SNP.rglob("*")) if path.suffix in (".pem", ".der")]
    collateral = sort_collateral(files)
    for name, (report, _) in REPORTS.items():
        if name != "milan-v2-debug":
            appraisal = judge({"report": real.read(report)}, when=real.at(name), collateral=collateral)
            assert appraisal.passed, (name, codes(appraisal))
    alone = {"report": real.read("ms-milan/report.bin")}
    no_roots = SnpTrust(**real.TOLERANT, roots=())
    assert codes(judge(alone, trust=no_roots, collateral=collateral)) == {"evidence.snp.vek-no-anchors"}
    assert codes(judge(alone)) == {"evidence.snp.vek-missing"}
    milan = SnpTrust(**real.TOLERANT, roots=(pinned.ARK_MILAN,), intermediates=())
    assert judge(alone, trust=milan, collateral=collateral).passed
    bare = sort_collateral([real.read("ms-milan/vcek.pem")])
    assert codes(judge(alone, trust=milan, collateral=bare)) == {"evidence.snp.vek-untrusted"}


@pytest.mark.parametrize("name", REPORTS)
def test_raw_forms(name):
    report, certificate = REPORTS[name]
    data = real.read(report)
    for form in (data, data.hex().encode(), data.hex().upper().encode() + b"\n"):
        assert snp.read(form) == {"report": data}
    whole = members(name)
    encoded = {"report": data.hex(), "vcek": real.read(certificate).decode("latin-1")}
    if certificate.endswith(".pem"):
        assert snp.read(json.dumps({"evidence": encoded}).encode()) == whole
    vek = base64.b64encode(whole["certificates"]).decode()
    for key in ("vcek_cert", "vlek_cert", "certificateChain"):
        found = snp.read(json.dumps({"nonce": "0x00", "snp_report": data.hex(), key: vek}).encode())
        assert found == {"report": data, "certificates": whole["certificates"]}
    chain = {"vcek": vek, "ask": None, "ark": base64.b64encode(pinned.ARK_MILAN).decode()}
    kind = "VLEK" if name == "milan-vlek" else "VCEK"
    forms: list[Any] = [chain, [vek], [{"cert_type": kind, "data": list(whole["certificates"])}]]
    for form in forms:
        content = {"attestation_report": base64.b64encode(data).decode(), "cert_chain": form}
        found = snp.read(json.dumps({"platform": "snp", "evidence": content}).encode())
        root = pinned.ARK_MILAN if form is chain else b""
        assert found == {"report": data, "certificates": whole["certificates"] + root}


def test_requests_to_azure_attestation():
    """`report` is base64 of JSON, whose texts are base64 again, without padding."""

    def text(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    whole = members("milan-v3")
    chain = real.read("ms-milan/vcek.pem") + real.read("ms-milan/ask.pem") + real.read("ms-milan/ark.pem")
    inner = {"SnpReport": text(whole["report"]), "VcekCertChain": text(chain), "Endorsements": text(b"{}")}
    outer = {"report": text(json.dumps(inner).encode()), "runtimeData": {"data": "", "dataType": "JSON"}}
    for form in (inner, outer):
        found = snp.read(json.dumps(form).encode())
        assert found == {"report": whole["report"], "certificates": arrange(chain)}
        assert judge(found).passed


def test_reports_on_other_levels():
    data = real.read("ms-milan/report.bin")
    chain = base64.b64encode(real.read("ms-milan/vcek.pem")).decode()
    for text in (data.hex(), "0x" + data.hex(), base64.b64encode(data).decode()):
        for wrapped in ({"tee": "snp", "evidence": {"Snp": {"report": text, "cert_chain": chain}}}, [{"quote": text}]):
            assert snp.read(json.dumps(wrapped).encode())["report"] == data
    for other in ([{"report": data.hex()}, {"report": data.hex().upper()}], {"a": {"body": data.hex()}}):
        with pytest.raises(MalformedError) as caught:
            snp.read(json.dumps(other).encode())
        assert caught.value.code == "evidence.snp.raw-malformed"


def test_raw_files_that_are_something_else():
    for data in (b"\0" * 1183, b"{}", b"[]", b'{"report": 5}', b'{"report": "zz"}', b'{"report": [256]}', b"{"):
        with pytest.raises(MalformedError) as caught:
            snp.read(data)
        assert caught.value.code == "evidence.snp.raw-malformed"
    with pytest.raises(MalformedError) as caught:
        snp.read(b"")
    assert caught.value.code == "evidence.snp.raw-empty"


def test_truncated_and_extended():
    base = members("turin-v5")
    for size in [0, 1, 100, 671, 672, 1183]:
        with pytest.raises(MalformedError):
            judge({**base, "report": base["report"][:size]})
    with pytest.raises(MalformedError):
        judge({**base, "report": base["report"] + b"\0"})
    for size in [1, 3, 4, 100, len(base["certificates"]) - 1]:
        with pytest.raises(MalformedError) as caught:
            judge({**base, "certificates": base["certificates"][:size]})
        assert caught.value.code == "evidence.snp.certificates-malformed"


def test_one_signature_has_a_twin():
    """ECDSA's own: (r, n - s) is as valid as (r, s), and AMD's firmware makes both kinds. Nothing else is accepted."""
    from attestation.snp.signature import ORDER

    highs = {parse_report(real.read(report)).s > ORDER // 2 for report, _ in REPORTS.values()}
    assert highs == {True, False}
    base = members("milan-v3")
    parsed = parse_report(base["report"])

    def with_numbers(r: int, s: int) -> dict[str, bytes]:
        numbers = r.to_bytes(72, "little") + s.to_bytes(72, "little")
        return {**base, "report": base["report"][:672] + numbers + bytes(368)}

    assert judge(with_numbers(parsed.r, ORDER - parsed.s)).passed
    for r, s in ((ORDER - parsed.r, parsed.s), (parsed.s, parsed.r)):
        assert codes(judge(with_numbers(r, s))) == {"evidence.snp.signature-invalid"}
    for r, s in (
        (0, parsed.s),
        (parsed.r, 0),
        (parsed.r + ORDER, parsed.s),
        (parsed.r, parsed.s + ORDER),
        (ORDER, ORDER),
    ):
        assert codes(judge(with_numbers(r, s))) == {"evidence.snp.signature-range"}


def test_azure_evidence_is_no_report():
    with pytest.raises(MalformedError):
        snp.read(real.read("trustee-az-snp-vtpm/evidence-v1.json"))
    with pytest.raises(MalformedError):
        azure_snp.read(real.read("ms-milan/report.bin"))
    assert WITHOUT_CRL.roots == pinned.ROOTS
