# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reference integrity manifests: real ones, wrapped, bombed, resigned, and what devices are compared with."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from attestation.errors import EvidenceError, MalformedError, RejectedError, UnsupportedError
from attestation.nvidia import read_gpus
from attestation.nvidia.rim import MAX_CANDIDATES
from attestation.nvidia.swid import MAX_RIM, parse_manifest, parse_signed
from attestation.nvidia.xmldsig import signed_bytes
from attestation.pki.certificate import load_certificate
from tests.attestation.nvidia.paper import (
    AT,
    VECTORS,
    bag,
    device,
    faults,
    golden,
    judge,
    measurements,
    members,
    report,
    resource,
    rim_root,
    rim_signer,
    rim_text,
    rims,
    sign_rim,
    vector,
    with_chain,
)
from tests.attestation.nvidia.test_real_devices import PAIRS, gpus, switches
from tests.attestation.nvidia.test_real_devices import SWITCH as SWITCH_FILES
from tests.attestation.small_pki import Identity, issue

pytest.importorskip("signxml")

UNIT = "attsdk-unit"
RIMS = f"{UNIT}/sample_rims"
H100_VBIOS = vector("nvtrust-samples/1010_0200_882_96005E0001_PROD.swidtag")
REAL = sorted(str(path.relative_to(VECTORS)) for path in VECTORS.rglob("*") if path.suffix in (".xml", ".swidtag"))
TAMPERED = {
    f"{UNIT}/incorrect_signature_driver_rim.xml",
    f"{RIMS}/NV_GPU_DRIVER_GH100_535.86.09_measurement_mismatch.xml",
    f"{RIMS}/NV_GPU_DRIVER_GH100_570.124.03_expired.xml",
    f"{RIMS}/NV_SWITCH_BIOS_5612_0002_890_9610550001_invalid_signature.xml",
    f"{RIMS}/NV_SWITCH_BIOS_5612_0002_890_9610550001_measurement_mismatch.xml",
}
"""Whose content is not what was signed; one sample called "mismatch" was signed anew and verifies."""


def verified(data: bytes) -> bytes:
    signed = parse_signed(data)
    return signed_bytes(data, load_certificate(signed.certificates[0], "evidence.nvidia.rim-certificate"))


@pytest.mark.parametrize("name", REAL)
def test_real_rim(name):
    data = vector(name)
    if name in TAMPERED:
        with pytest.raises(RejectedError) as caught:
            verified(data)
        assert caught.value.code == "evidence.nvidia.rim-signature-invalid"
    else:
        assert parse_manifest(verified(data)) == parse_signed(data).claimed


def test_real_gpu_measures_what_its_vbios_rim_says():
    """12 of 12; the driver of that report has no genuine RIM among the vectors."""
    evidence = read_gpus(with_chain(*PAIRS["h100-535"]))
    at = datetime(2024, 6, 1, tzinfo=UTC)
    appraisal = gpus(evidence, at=at, collateral=[H100_VBIOS])
    assert appraisal.passed
    (told,) = appraisal.claims["devices"]
    assert told["measurements_matched"] == 12 and "debug" not in appraisal.claims
    demanded = gpus(evidence, at=at, collateral=[H100_VBIOS], require_rims=True)
    assert faults(demanded) == {"evidence.nvidia.rim-missing", "evidence.nvidia.measurement-incomplete"}


def test_real_rim_with_other_measurements():
    """Signed by NVIDIA for the same version, with other digests; where both are there, the one that fits counts."""
    evidence = read_gpus(with_chain(*PAIRS["h100-535"]))
    other = vector(f"{RIMS}/NV_GPU_VBIOS_1010_0200_882_96005E0001_measurement_mismatch.xml")
    at = datetime(2024, 6, 1, tzinfo=UTC)
    alone = gpus(evidence, at=at, collateral=[other])
    assert faults(alone) == {"evidence.nvidia.measurement-mismatch"}
    assert alone.claims["unexpected_components"]
    for both in ([other, H100_VBIOS], [H100_VBIOS, other]):
        assert gpus(evidence, at=at, collateral=both).passed


@pytest.mark.parametrize(
    ("name", "evidence", "at", "code"),
    [
        (f"{RIMS}/NV_GPU_DRIVER_GH100_535.86.09_measurement_mismatch.xml", "h100-535", 2026, "signature-invalid"),
        (f"{RIMS}/NV_GPU_DRIVER_GH100_570.124.03_expired.xml", "h100-570", 2026, "signer-chain-expired"),
        (f"{RIMS}/NV_SWITCH_BIOS_5612_0002_890_9610550001_invalid_signature.xml", "", 2025, "signature-invalid"),
    ],
)
def test_real_tampered_rims(name, evidence, at, code):
    at = datetime(at, 1, 1, tzinfo=UTC)
    if evidence:
        appraisal = gpus(read_gpus(with_chain(*PAIRS[evidence])), at=at, collateral=[vector(name)])
    else:
        from attestation.nvidia import read_switches

        appraisal = switches(read_switches(with_chain(*SWITCH_FILES)), at=at, collateral=[vector(name)])
    assert faults(appraisal) == {f"evidence.nvidia.rim-{code}"}


# Which RIM is a device's


def one(driver: bytes, vbios: bytes | None = None, **settings):
    return judge(collateral=bag(driver, vbios or rims()[1]), **{"require_ocsp": False, **settings})


def test_paper_rims_pass():
    assert one(rims()[0]).passed
    assert judge(collateral=bag(*rims(), H100_VBIOS), require_ocsp=False).passed  # others are left alone


@pytest.mark.parametrize(
    "text",
    [
        rim_text("550.90.08", golden(range(20, 40))),
        rim_text("550.90.07", golden(range(20, 40)), edition="SWITCH"),
        rim_text("550.90.07", golden(range(20, 40)), product="GB100"),
    ],
)
def test_rims_of_other_devices(text):
    appraisal = one(sign_rim(text))
    assert faults(appraisal) == {"evidence.nvidia.rim-missing", "evidence.nvidia.measurement-incomplete"}
    assert not appraisal.failed


def test_a_mismatch_fails_also_where_the_other_rim_is_missing():
    wrong = sign_rim(rim_text("550.90.07", resource(20, [bytes(48)])))
    appraisal = judge(collateral=bag(wrong), require_ocsp=False, require_rims=False)
    assert {check.code for check in appraisal.failed} == {"evidence.nvidia.measurement-mismatch"}


def test_two_rims_for_one_measurement():
    both = sign_rim(rim_text("550.90.07", golden(range(10, 40))))
    assert faults(one(both)) == {"evidence.nvidia.measurement-conflict"}


def test_measurement_that_is_not_reported():
    beyond = sign_rim(rim_text("550.90.07", resource(64, [b"\1" * 48])))
    assert faults(one(beyond)) == {"evidence.nvidia.measurement-mismatch"}
    idle = sign_rim(rim_text("550.90.07", resource(64, [b"\1" * 48], active=False) + golden(range(20, 40))))
    assert one(idle).passed


def test_video_decoder():
    """Measurement 35 counts where the decoder is on, or in a state that nobody published."""
    for state, passes in ((b"\x55", True), (b"\xaa", False), (b"\x00", False), (b"", False)):
        fields = {**device().fields, 11: state}
        evidence = {"report_0": report(fields=fields), "chain_0": device().der}
        appraisal = judge(evidence, collateral=bag(*rims()), require_ocsp=False)
        assert appraisal.passed is passes
        if not passes:
            assert appraisal.claims["unexpected_components"] == ["device 0: measurement 35"]


def test_a_few_candidates_are_looked_at():
    bad = [sign_rim(rim_text("550.90.07", resource(20 + n, [bytes(48)]))) for n in range(MAX_CANDIDATES)]
    assert one(rims()[0], None).passed
    crowd = judge(collateral=bag(*bad, *rims()), require_ocsp=False)
    assert not crowd.passed


# Signers


def chain_of(**settings) -> tuple[Identity, ...]:
    return issue("paper RIM signer", AT, rim_signer()[1], **settings), *rim_signer()[1:]


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"end": AT - timedelta(seconds=1)}, "signer-chain-expired"),
        ({"end": AT}, ""),
        ({"start": AT}, ""),
        ({"start": AT + timedelta(seconds=1), "end": AT + timedelta(days=9)}, "signer-chain-expired"),
        ({"signs": False}, "signer-usage"),
        ({"ca": True}, "signer-chain-leaf-is-ca"),
    ],
)
def test_signers(settings, code):
    driver = sign_rim(rim_text("550.90.07", golden(range(20, 40))), chain_of(**settings))
    found = {fault for fault in faults(one(driver)) if "measurement" not in fault}
    assert found == ({f"evidence.nvidia.rim-{code}"} if code else set())


def test_signer_of_an_attackers_pki():
    root = issue("paper RIM root", AT, ca=True)
    chain = (issue("paper RIM signer", AT, root), root)
    driver = sign_rim(rim_text("550.90.07", golden(range(20, 40))), chain)
    assert "evidence.nvidia.rim-signer-untrusted" in faults(one(driver))
    mixed = sign_rim(rim_text("550.90.07", golden(range(20, 40))), (chain[0], *rim_signer()[1:]))
    assert "evidence.nvidia.rim-signer-chain-broken" in faults(one(mixed))


def test_rim_signed_by_a_device():
    """NVIDIA's device CA signs no RIMs, nor the RIM CA devices."""
    chain = (device().chain[0], *device().chain[1:])
    driver = sign_rim(rim_text("550.90.07", golden(range(20, 40))), chain)
    assert "evidence.nvidia.rim-signer-untrusted" in faults(one(driver))


def test_genuine_certificates_over_another_signature():
    """The certificates are not under the signature: another key's signature with the genuine chain."""
    other = issue("x", AT, rim_signer()[1])
    mixed = (Identity(rim_signer()[0].certificate, other.key), *rim_signer()[1:])
    forged = sign_rim(rim_text("550.90.07", golden(range(20, 40))), mixed)
    assert "evidence.nvidia.rim-signature-invalid" in faults(one(forged))


def test_signature_method_below_sha384():
    from signxml.algorithms import SignatureMethod  # type: ignore[import-not-found,unused-ignore]

    text = rim_text("550.90.07", golden(range(20, 40)))
    weak = sign_rim(text, signature_algorithm=SignatureMethod.ECDSA_SHA256)
    assert "evidence.nvidia.rim-signature-invalid" in faults(one(weak))


# Wrapping


def test_content_beside_the_signed_one():
    """Nothing can be added to or changed in a signed document, wherever it stands."""
    genuine = rims()[0].decode()
    evil = golden(range(20, 40)).replace('active="True"', 'active="False"')
    for before, after in (
        ("</ns0:Payload>", f"{evil}</ns0:Payload>"),
        ("<ns0:Payload>", f"<ns0:Payload>{evil}</ns0:Payload><ns0:Payload>"),
        ("<ds:SignedInfo", f"<ns0:Payload>{evil}</ns0:Payload><ds:SignedInfo"),
        ("</ds:Signature>", f"</ds:Signature><ns0:Payload>{evil}</ns0:Payload>"),
        ("</ds:KeyInfo>", f"</ds:KeyInfo><ds:Object><ns0:Payload>{evil}</ns0:Payload></ds:Object>"),
        ('active="True"', 'active="False"'),
        ('name="GH100"', 'name="GH200"'),
        ("<ns0:Entity", "\n<ns0:Entity"),
    ):
        assert before in genuine
        edited = genuine.replace(before, after, 1).encode()
        with pytest.raises((MalformedError, RejectedError)):
            verified(edited)
        assert not one(edited).passed


def test_wrapped_documents():
    """The signed root within another root, with its signature there or moved."""
    genuine = rims()[0].decode()
    signature = re.search("<ds:Signature.*</ds:Signature>", genuine, re.DOTALL)
    assert signature is not None
    evil = rim_text("550.90.07", "")
    inner = genuine.replace(signature[0], "")
    for wrapped in (
        evil.replace("</SoftwareIdentity>", f"{genuine}</SoftwareIdentity>"),
        evil.replace("</SoftwareIdentity>", f"{inner}{signature[0]}</SoftwareIdentity>"),
        evil.replace("<ns0:Payload>", f"<ns0:Payload>{genuine}"),
        evil.replace("</SoftwareIdentity>", f"{signature[0]}{signature[0]}</SoftwareIdentity>"),
    ):
        with pytest.raises((MalformedError, RejectedError)):
            verified(wrapped.encode())
        assert not one(wrapped.encode()).passed


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('URI=""', 'URI="#x"'),
        ('URI=""', 'URI="http://example/x"'),
        ('URI=""', ""),
        ('URI=""', 'URI="" Id="x"'),
        ("xmldsig#enveloped-signature", "xmldsig#base64"),
        ("<ds:Transforms>", '<ds:Transforms><ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"/>'),
        ("2006/12/xml-c14n11", "2006/12/xml-c14n11#WithComments"),
        ("<ds:X509Data>", "<ds:KeyValue/><ds:X509Data>"),
        ("<ds:X509Certificate>", "<ds:X509Certificate>!"),
    ],
)
def test_signatures_of_another_shape(before, after):
    genuine = rims()[0].decode()
    assert before in genuine
    with pytest.raises(MalformedError) as caught:
        parse_signed(genuine.replace(before, after).encode())
    assert caught.value.code == "evidence.nvidia.rim-malformed"


def test_no_bit_of_what_is_signed_can_change():
    """A flip is refused, or changes nothing of what the document says (the case of a digest's hex, say)."""
    data = rims()[0]
    said = parse_manifest(verified(data))
    end = data.index(b"<ds:KeyInfo")
    for bit in range(0, end * 8, 101):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            assert parse_manifest(verified(bytes(flipped))) == said, bit
        except EvidenceError:
            continue


# Grammar


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
FILE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<",
        b"<a/>",
        b"<a></b>",
        (BOMB + rims()[0].decode()).encode(),
        (FILE + rims()[0].decode()).encode(),
        b"<?xml-stylesheet href='http://example/'?>" + rims()[0],
        b'<?xml version="1.0" encoding="utf-16"?>' + rims()[0],
        b'<?xml version="1.1"?>' + rims()[0],
        rims()[0].decode().encode("utf-16"),
        rims()[0].replace(b"<ns0:Entity", b"<!-- --><ns0:Entity"),
        rims()[0].replace(b"<ns0:Entity", b"<![CDATA[x]]><ns0:Entity"),
        rims()[0].replace(b"<ns0:Entity", b"&x;<ns0:Entity"),
        rims()[0].replace(b"<ns0:Entity", b"<?x?><ns0:Entity"),
        rims()[0] + b"<!-- -->",
        rims()[0] + b"<a/>",
        rims()[0] + b"\0",
        rims()[0].replace(b"GH100", b"\xff\xff", 1),
        rim_text("1", "").encode(),
        b" " * (MAX_RIM + 1),
        b"<a>" * 1000,
        b"<a>" * 13 + b"</a>" * 13,
        b"<a>" + b"<b/>" * 3000 + b"</a>",
    ],
)
def test_documents_that_are_no_rim(data):
    with pytest.raises(MalformedError) as caught:
        parse_signed(data)
    assert caught.value.code == "evidence.nvidia.rim-malformed"


DECLARATIONS = [b'<?xml version="1.0"?>\n', b"<?xml version='1.0' encoding='UTF-8'?>", b"\xef\xbb\xbf"]


@pytest.mark.parametrize("declaration", DECLARATIONS)
def test_declarations(declaration):
    assert parse_signed(declaration + rims()[0]).claimed == parse_signed(rims()[0]).claimed
    assert one(declaration + rims()[0]).passed


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('index="20"', 'index="-1"'),
        ('index="20"', 'index="21"'),
        ('index="20"', 'index="x"'),
        ('index="20"', ""),
        ('size="48"', 'size="32"'),
        ('alternatives="2"', 'alternatives="0"'),
        ('alternatives="2"', 'alternatives="3"'),
        ('alternatives="2"', 'alternatives="99"'),
        ('active="True"', 'active="true"'),
        ('type="Measurement"', 'type="x"'),
        ("ns2:Hash0", "ns2:Hash9"),
        ('ns2:Hash0="00', 'ns2:Hash0="zz'),
        ('colloquialVersion="550.90.07"', ""),
        ("<ns0:Payload>", "<ns0:Payload><ns0:File/>"),
    ],
)
def test_manifests_that_are_none(before, after):
    text = rim_text("550.90.07", golden(range(20, 40)))
    assert before in text
    with pytest.raises(MalformedError):
        parse_manifest(text.replace(before, after, 1).encode())


@pytest.mark.parametrize(
    "attribute", ['xmlns:q="relative"', 'xml:lang="x" xmlns:q="urn:q" q:a="b"', 'xml:base="file:///"']
)
def test_attributes_that_canonicalisation_minds(attribute):
    edited = rims()[0].replace(b"<ns0:Entity ", f"<ns0:Entity {attribute} ".encode())
    with pytest.raises(RejectedError) as caught:
        verified(edited)
    assert caught.value.code == "evidence.nvidia.rim-signature-invalid"


def test_xml_that_is_no_rim_is_told():
    appraisal = judge(collateral=bag(b"<a/>", *rims()[1:]), require_ocsp=False)
    assert faults(appraisal) == {"evidence.nvidia.rim-malformed", "evidence.nvidia.measurement-incomplete"}
    assert not appraisal.failed


def test_certificates_of_a_rim():
    broken = re.sub(rb"(<ds:X509Certificate>)\s*....", rb"\1AAAA", rims()[0], count=1)
    assert "evidence.nvidia.rim-certificate-malformed" in faults(one(broken))


def test_without_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "signxml.verifier", None)
    fresh = sign_rim(rim_text("550.90.07", golden(range(20, 39))))
    appraisal = judge(members(), collateral=bag(fresh), require_ocsp=False)
    assert "evidence.nvidia.rim-library-absent" in faults(appraisal) and not appraisal.failed
    with pytest.raises(UnsupportedError) as caught:
        signed_bytes(fresh, rim_signer()[0].certificate)
    assert "affidavit[nvidia]" in caught.value.remedy


@pytest.mark.fuzz
@given(st.binary(max_size=200), st.integers(0, 4000), st.integers(0, 300))
def test_hostile_documents(octets, position, length):
    data = bytearray(rims()[0])
    data[position : position + length] = octets
    for document in (octets, bytes(data)):
        try:
            verified(document)
        except EvidenceError:
            continue


def test_measured_values_are_what_the_paper_says():
    assert len(measurements()) == 64 and rim_root().der in b"".join(parse_signed(rims()[0]).certificates)


def test_an_ocsp_responder_signs_no_rims():
    purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING])
    driver = sign_rim(rim_text("550.90.07", golden(range(20, 40))), chain_of(extensions=[(purpose, False)]))
    assert "evidence.nvidia.rim-signer-usage" in faults(one(driver))
