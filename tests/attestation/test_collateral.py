# SPDX-License-Identifier: AGPL-3.0-or-later
"""Collateral is recognised by content, and raw evidence files lose their armour; both total on hostile bytes."""

from __future__ import annotations

import base64
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation import raw
from attestation.collateral import EMPTY, Collateral, Item, recognise, sort_collateral
from attestation.collateral.bag import MAX_ITEM, MAX_ITEMS
from attestation.errors import MalformedError
from tests.attestation.paper import AT, maker
from tests.attestation.small_pki import issue, revocation_list

CERTIFICATE = maker().der
CRL = revocation_list(issue("CA", AT, ca=True), AT)


def pem(label: str, der: bytes) -> bytes:
    text = base64.encodebytes(der).decode()
    return f"-----BEGIN {label}-----\n{text}-----END {label}-----\n".encode()


@pytest.mark.parametrize(("der", "kind", "label"), [(CERTIFICATE, "x509", "CERTIFICATE"), (CRL, "crl", "X509 CRL")])
def test_x509_in_every_armour(der, kind, label):
    forms = [der, pem(label, der), der.hex().encode(), b"0x" + der.hex().upper().encode(), base64.b64encode(der)]
    forms += [base64.urlsafe_b64encode(der).rstrip(b"="), base64.encodebytes(der)]
    for form in forms:
        assert recognise(form) == (Item(kind, der),)


def test_a_bundle_holds_several_and_duplicates_count_once():
    bundle = b"subject=x\n" + pem("CERTIFICATE", CERTIFICATE) + pem("X509 CRL", CRL)
    bag = sort_collateral([bundle, CERTIFICATE, b'{"tcbInfo": {}}', b"<a/>", b"\x01\x02", b""])
    assert bag.of("x509") == (CERTIFICATE,) and bag.of("crl") == (CRL,)
    assert [item.kind for item in bag.items] == ["x509", "crl", "json", "xml", "binary"]
    assert bag + bag == bag and EMPTY + bag == bag and bag.of("ocsp") == ()


def test_limits():
    with pytest.raises(MalformedError) as caught:
        recognise(bytes(MAX_ITEM + 1))
    assert caught.value.code == "evidence.collateral.too-large"
    with pytest.raises(MalformedError) as caught:
        Collateral(tuple(Item("binary", bytes([i % 251, i // 251])) for i in range(MAX_ITEMS + 1)))
    assert caught.value.code == "evidence.collateral.too-much"


@pytest.mark.parametrize("body", [b"\nAAA\n-----END CERTIFICATE-----\n", b""])
def test_broken_pem(body):
    with pytest.raises(MalformedError) as caught:
        recognise(b"-----BEGIN CERTIFICATE-----" + body)
    assert caught.value.code == "evidence.collateral.armour-malformed"


def test_pem_with_one_broken_item():
    """None is left out of a bundle: what would be read then is another one."""
    whole = pem("CERTIFICATE", CERTIFICATE)
    for broken in (whole.replace(b"M", b"\xcd", 1), whole.replace(b"END", b"EMD"), whole[:-9]):
        for bundle in (whole + broken, broken + whole):
            with pytest.raises(MalformedError) as caught:
                recognise(bundle)
            assert caught.value.code == "evidence.collateral.armour-malformed"


@given(st.binary(max_size=200))
def test_anything_is_recognised_or_refused(data):
    try:
        items = recognise(data)
    except MalformedError:
        return
    assert all(item.kind in ("x509", "crl", "ocsp", "json", "xml", "binary") for item in items)


# Raw evidence.

P = "evidence.tpm2"


def test_armour_comes_off():
    data = bytes(range(256))
    for form in (data, data.hex().encode(), base64.b64encode(data), b" " + data.hex().encode() + b"\n"):
        assert raw.binary(form, P) == data


def test_members_there_and_back():
    parts = {"attest": b"\x00\x01", "pcrs": b"text\n"}
    assert raw.members(raw.members_document("x@v1", parts), "x@v1", P) == parts
    assert raw.members(b'{"other": 1}', "x@v1", P) is None and raw.members(b"\x01\x02", "x@v1", P) is None


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "raw-empty"),
        (b"{", "raw-malformed"),
        (b'{"a": 1, "a": 2}', "raw-malformed"),
        (b'{"a": NaN}', "raw-malformed"),
        (b'{"a": "\xff"}', "raw-malformed"),
        (b"[" * 33 + b"]" * 33, "raw-malformed"),
        (b"[" * 100_000 + b"]" * 100_000, "raw-malformed"),
        (json.dumps({"type": "y@v1", "members": {}}).encode(), "raw-malformed"),
        (json.dumps({"type": "x@v1", "members": []}).encode(), "raw-malformed"),
        (json.dumps({"type": "x@v1", "members": {"a": 3}}).encode(), "raw-malformed"),
        (json.dumps({"type": "x@v1", "members": {"a": "*"}}).encode(), "raw-malformed"),
        (b"\x01" + bytes(raw.MAX_RAW), "raw-too-large"),
    ],
)
def test_broken_files(data, code):
    with pytest.raises(MalformedError) as caught:
        raw.members(data, "x@v1", P)
    assert caught.value.code == f"{P}.{code}"


def test_armour_that_never_ends_takes_no_longer_than_its_bytes():
    started = time.perf_counter()
    for filler in (b"\n", b"A\n", b" "):
        with pytest.raises(MalformedError):
            recognise(b"-----BEGIN CERTIFICATE-----\n" + filler * 500_000)
    assert time.perf_counter() - started < 30  # squared, it would be hours


def test_member_names_that_have_no_utf_8():
    with pytest.raises(MalformedError) as caught:
        raw.members(b'{"type": "x@v1", "members": {"\\ud800": "AAAA"}}', "x@v1", "evidence.x")
    assert caught.value.code == "evidence.x.raw-malformed"
