# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documents that real Nitro hypervisors signed."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from attestation.errors import MalformedError
from attestation.nitro import NitroTrust, appraise, read
from attestation.nitro.document import parse_document, parse_envelope
from attestation.nitro.roots import AWS_NITRO_G1
from attestation.raw import members_document
from tests.attestation.nitro.paper import REAL, VECTORS, document, faults

HONEST = [name for name in REAL if "dbg" not in name]


def judge(data: bytes, at: datetime, **settings):
    challenge = settings.pop("challenge", None)
    return appraise({"document": data}, challenge=challenge, at=at, trust=NitroTrust(**settings))


def test_vectors_are_the_published_ones():
    listed = {entry["file"]: entry["sha256"] for entry in json.loads((VECTORS / "provenance.json").read_text())}
    present = {path.name for path in VECTORS.iterdir() if path.suffix in (".bin", ".pem")}
    assert present == set(listed)
    for name, digest in listed.items():
        assert hashlib.sha256((VECTORS / name).read_bytes()).hexdigest() == digest


def test_pinned_root_is_the_published_one():
    published = x509.load_pem_x509_certificate((VECTORS / "aws_root_g1.pem").read_bytes())
    assert published.public_bytes(Encoding.DER) == AWS_NITRO_G1
    assert hashlib.sha256(AWS_NITRO_G1).hexdigest() == (
        "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b"
    )


@pytest.mark.parametrize("name", HONEST)
def test_honest_document_passes(name):
    appraisal = judge(document(name), REAL[name])
    assert appraisal.passed and faults(appraisal) == set()
    claims = appraisal.claims
    assert claims["debug"] is False and claims["platform_id"].startswith("i-0827e799ec9232d44-enc")
    assert claims["measurement"] == claims["pcrs"]["0"] and len(claims["report_data"]) == 128
    assert "nonce" not in claims and "public_key" not in claims
    leaf = x509.load_der_x509_certificate(parse_document(parse_envelope(document(name)).payload).certificate)
    assert appraisal.expires == leaf.not_valid_after_utc


def test_debug_document_never_passes():
    name = "nitro_attestation_dbg.bin"
    appraisal = judge(document(name), REAL[name])
    assert faults(appraisal) == {"evidence.nitro.debug"} and appraisal.claims["debug"] is True


@pytest.mark.parametrize("name", HONEST)
def test_challenge_in_user_data(name):
    data = document(name)
    told = parse_document(parse_envelope(data).payload).user_data
    assert told is not None
    assert judge(data, REAL[name], challenge=told, challenge_field="user_data").passed
    if any(told):  # the first one's user data is zero: any shorter challenge of zeros is its prefix
        assert judge(data, REAL[name], challenge=told[:32], challenge_field="user_data").passed
    for challenge in (b"\1" * 32, told[:8], b"", bytes(63) + b"\1"):
        appraisal = judge(data, REAL[name], challenge=challenge, challenge_field="user_data")
        if challenge != told[:8] or any(told):
            assert faults(appraisal) == {"evidence.nitro.challenge-mismatch"}
    appraisal = judge(data, REAL[name], challenge=told)  # the nonce is what is asked for by default
    assert faults(appraisal) == {"evidence.nitro.challenge-mismatch"}


def test_reference_values():
    name = HONEST[0]
    pcrs = parse_document(parse_envelope(document(name)).payload).pcrs
    other = bytes(47) + b"\1"
    assert judge(document(name), REAL[name], reference_pcrs={0: frozenset({other, pcrs[0]})}).passed
    appraisal = judge(document(name), REAL[name], reference_pcrs={0: frozenset({other})})
    assert faults(appraisal) == {"evidence.nitro.pcr-unexpected"}
    appraisal = judge(document(name), REAL[name], reference_pcrs={31: frozenset({other})})
    assert faults(appraisal) == {"evidence.nitro.pcr-absent"}


@pytest.mark.parametrize("name", HONEST)
@pytest.mark.parametrize("offset", [-1, 0, 1])
def test_validity_window_to_the_second(name, offset):
    leaf = x509.load_der_x509_certificate(parse_document(parse_envelope(document(name)).payload).certificate)
    after = leaf.not_valid_after_utc + timedelta(seconds=offset)
    appraisal = judge(document(name), after)
    assert appraisal.passed is (offset <= 0)
    if offset > 0:
        assert "evidence.nitro.certificate-chain-expired" in faults(appraisal)
    before = leaf.not_valid_before_utc + timedelta(seconds=offset)
    assert judge(document(name), before).passed is (offset >= 0)  # made three seconds later: within the skew


def flips(data, step):
    for bit in range(0, len(data) * 8, step):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        yield bit, bytes(flipped)


def accepted_flips(name, step):
    for bit, flipped in flips(document(name), step):
        try:
            if judge(flipped, REAL[name]).passed:
                yield bit
        except MalformedError:
            continue
        except Exception as error:  # noqa: BLE001  (whatever else comes out is the finding)
            if type(error).__module__ != "attestation.errors":
                yield bit


@pytest.mark.parametrize("name", HONEST)
def test_sampled_bits_cannot_change(name):
    assert list(accepted_flips(name, 61)) == []


@pytest.mark.exhaustive
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", HONEST)
def test_no_bit_can_change(name):
    assert list(accepted_flips(name, 1)) == []


@pytest.mark.parametrize("cut", [1, 2, 95, 96, 97, 100, 4000])
def test_truncated(cut):
    with pytest.raises(MalformedError) as caught:
        judge(document(HONEST[0])[:-cut], REAL[HONEST[0]])
    assert caught.value.code == "evidence.nitro.cose-truncated"


# Raw forms


def test_every_raw_form_gives_the_same_document():
    name = HONEST[0]
    plain = document(name)
    forms = [
        plain,
        b"\xd2" + plain,
        cbor2.dumps({"Attestation": {"document": plain}}),
        plain.hex().encode(),
        b"0x" + plain.hex().encode() + b"\n",
        base64.b64encode(plain),
        base64.urlsafe_b64encode(plain).rstrip(b"="),
        json.dumps({"attestation_document": base64.b64encode(plain).decode()}).encode(),
        json.dumps({"quote": plain.hex(), "event_log": ""}).encode(),
        json.dumps({"attestation": {"format": "aws-nitro", "reportB64": base64.b64encode(plain).decode()}}).encode(),
        json.dumps([{"nitro": {"document": plain.hex(), "nonce": "00"}}]).encode(),
        members_document("nitro-document@v1", {"document": plain}),
        (VECTORS / name).read_bytes(),
        base64.b64encode((VECTORS / name).read_bytes()),
    ]
    for form in forms:
        assert read(form) == {"document": plain}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b"\x00\x02", "truncated"),
        (b"\x00\x02\xbc\x46", "truncated"),
        (b"\x00\x02\x03", "malformed"),
        (b"\x00\x02\x01\x00", "malformed"),
        (b"\x00\x02\x04\x84\x00" + bytes(64) + b"\x00\x00", "trailing"),
        (b"\x00\x02\xbd\x46\x84", "truncated"),
        (b"\x00\x00\xbd\x46\x84", "malformed"),
        (b"{}", "malformed"),
        (b"[]", "malformed"),
        (b'{"document": "hEShATgi", "quote": "hEShATgi"}', "malformed"),
        (b'{"document": 1}', "malformed"),
        (b'[{"document": "hEShATgi"}, {"document": "8444a1013822"}]', "malformed"),
        (b'[{"somethingelse": "hEShATgi"}]', "malformed"),
        (b'{"document": ""}', "malformed"),
        (b'{"type": "nitro-document@v2", "members": {}}', "malformed"),
        (cbor2.dumps({"Attestation": {"document": b"\x84"}}) + b"\0", "trailing"),
        (cbor2.dumps({"Attestation": {"document": b"\x84"}})[:-1], "truncated"),
    ],
)
def test_raw_forms_that_are_none(data, code):
    with pytest.raises(MalformedError) as caught:
        read(data)
    assert caught.value.code == f"evidence.nitro.raw-{code}"


def test_tagged_document_is_no_member():
    """One encoding in the member: the tag, which no signature covers, is taken off by `read` and refused here."""
    with pytest.raises(MalformedError) as caught:
        judge(b"\xd2" + document(HONEST[0]), datetime(2025, 12, 25, tzinfo=UTC))
    assert caught.value.code == "evidence.nitro.cose-malformed"
