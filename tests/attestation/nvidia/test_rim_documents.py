# SPDX-License-Identifier: AGPL-3.0-or-later
"""RIM documents: wrapped, bombed, reshaped; and what is no manifest."""

from __future__ import annotations

import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation.errors import EvidenceError, MalformedError, RejectedError, UnsupportedError
from attestation.nvidia.swid import MAX_RIM, parse_manifest, parse_signed
from attestation.nvidia.xmldsig import signed_bytes
from tests.attestation.nvidia.manifests import one, verified
from tests.attestation.nvidia.paper import (
    bag,
    faults,
    golden,
    judge,
    measurements,
    members,
    rim_root,
    rim_signer,
    rim_text,
    rims,
    sign_rim,
)

pytest.importorskip("signxml")

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
        ('index="20"', 'index="0x1"'),
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
