# SPDX-License-Identifier: AGPL-3.0-or-later
"""Quotes that real (virtual) TPMs made, from public repositories."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from attestation.errors import EvidenceError
from attestation.tpm2 import Tpm2Trust, appraise
from attestation.tpm2.attest import parse_attest
from attestation.tpm2.public import parse_public
from tests.attestation import real
from tests.attestation.paper import codes

AT = datetime(2026, 1, 1, tzinfo=UTC)
QUOTES = [(name, bank) for name in real.GCE_FILES for bank in ("sha1", "sha256", "sha384")]


def trust() -> Tpm2Trust:
    return Tpm2Trust(platform_ak_issuers=(real.gce_root(),), require_event_log=True)


def test_every_vector_is_what_its_source_published():
    entries = json.loads(real.read("provenance.json"))
    assert len(entries) == 102
    for entry in entries:
        data = real.read(entry["file"])
        assert hashlib.sha256(data).hexdigest() == entry["sha256"], entry["file"]
        assert {"repository", "path", "commit", "license"} <= entry.keys()
    listed = {entry["file"] for entry in entries} | {"provenance.json"}
    present = {str(path.relative_to(real.TPM)) for path in real.TPM.rglob("*") if path.is_file()}
    assert present == listed


@pytest.mark.parametrize("bank", ["sha256", "sha384"])
def test_gce_quote_passes(bank):
    members = real.gce_quotes("gce-cos-85-nonce9009")[bank]
    appraisal = appraise(members, challenge=bytes.fromhex("9009"), at=AT, trust=trust())
    assert codes(appraisal) == {}
    assert appraisal.passed
    assert appraisal.claims["ak_hierarchy"] == "endorsement"
    assert appraisal.claims["counters_obfuscated"] is False
    assert appraisal.claims["reset_count"] == 10
    assert appraisal.claims["secure_boot"] is True
    assert appraisal.claims["event_log_uncovered"] == [10]  # IMA goes on after the firmware's log
    assert appraisal.claims["ak_issuer"] == "platform"


@pytest.mark.parametrize("name", real.GCE_FILES)
def test_sha1_quote_is_read_but_not_enough(name):
    members = real.gce_quotes(name)["sha1"]
    appraisal = appraise(members, challenge=real.GCE_FILES[name], at=AT, trust=trust())
    assert not appraisal.passed
    assert [check.code for check in appraisal.failed] == ["evidence.tpm2.pcr-bank-weak"]
    assert len(appraisal.claims["pcrs"]) == 24


@pytest.mark.parametrize(("name", "bank"), QUOTES)
@pytest.mark.parametrize("challenge", [b"\x90\x08", b"\x90", b"\x90\x09\x00", bytes(32)])
def test_wrong_challenge_fails(name, bank, challenge):
    appraisal = appraise(real.gce_quotes(name)[bank], challenge=challenge, at=AT, trust=trust())
    assert "evidence.tpm2.challenge-mismatch" in [check.code for check in appraisal.failed]


def test_quote_without_challenge_is_not_fresh():
    members = real.gce_quotes("gce-cos-85-no-nonce")["sha256"]
    appraisal = appraise(members, challenge=b"", at=AT, trust=trust())
    assert appraisal.failed == ()
    assert codes(appraisal) == {"evidence.tpm2.challenge": "evidence.tpm2.challenge-missing"}


def faults(members, name, settings):
    """Ids of the checks that are false or missing; None for evidence that is refused by its grammar."""
    try:
        result = appraise(members, challenge=real.GCE_FILES[name], at=AT, trust=settings)
    except EvidenceError:
        return None
    return {check.id for check in (*result.failed, *result.missing)}


def flips(data):
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        yield bit, bytes(flipped)


@pytest.mark.parametrize(("name", "bank"), QUOTES)
def test_no_bit_of_message_or_signature_can_change(name, bank):
    """Without log and certificates, which are slow and which no flip here touches. The unchanged quote has
    its own faults then (and SHA-1 banks, or no nonce): each flip must add one, or be refused."""
    parts = ("attest", "signature", "ak_public", "pcrs")
    bare = {member: real.gce_quotes(name)[bank][member] for member in parts}
    before = faults(bare, name, Tpm2Trust())
    survivors = [
        (member, bit)
        for member in ("attest", "signature")
        for bit, flipped in flips(bare[member])
        if (after := faults({**bare, member: flipped}, name, Tpm2Trust())) is not None and after <= before
    ]
    assert survivors == []


def test_no_bit_of_the_public_area_can_change():
    name = "gce-cos-85-nonce9009"
    bare = {key: value for key, value in real.gce_quotes(name)["sha256"].items() if key != "event_log"}
    settings = Tpm2Trust(platform_ak_issuers=(real.gce_root(),))
    assert faults(bare, name, settings) == set()
    survivors = [
        bit
        for bit, flipped in flips(bare["ak_public"])
        if faults({**bare, "ak_public": flipped}, name, settings) == set()
    ]
    assert survivors == []


def test_unknown_root_is_refused_and_no_root_is_no_answer():
    members = real.gce_quotes("gce-cos-85-nonce9009")["sha256"]
    other = Tpm2Trust(platform_ak_issuers=(real.certificate("gce-ak-certs/ca/gcp_ek_ak_ca_root.crt"),))
    refused = appraise(members, challenge=b"\x90\x09", at=AT, trust=other)
    assert "evidence.tpm2.ak-untrusted" in [check.code for check in refused.failed]
    unanswered = appraise(members, challenge=b"\x90\x09", at=AT, trust=Tpm2Trust())
    assert unanswered.failed == ()
    assert set(codes(unanswered).values()) == {"evidence.tpm2.ak-no-anchors"}


def test_platform_issuer_is_no_attestation_ca():
    """Google's certificate does not name an EK, so listing Google as attestation CA must not accept it."""
    members = real.gce_quotes("gce-cos-85-nonce9009")["sha256"]
    appraisal = appraise(members, challenge=b"\x90\x09", at=AT, trust=Tpm2Trust(ak_issuers=(real.gce_root(),)))
    assert not appraisal.passed
    assert {check.code for check in appraisal.failed} <= {
        "evidence.tpm2.ak-usage",
        "evidence.tpm2.ak-binding-absent",
    }


def test_attributes_that_no_certificate_vouches_for_are_not_believed():
    """The platform's certificate holds only the key; another public area around it has another Name."""
    members = dict(real.gce_quotes("gce-cos-85-nonce9009")["sha256"])
    public = parse_public(members["ak_public"])
    members["ak_public"] = replace(public, attributes=public.attributes | 1 << 10).encode()
    appraisal = appraise(members, challenge=b"\x90\x09", at=AT, trust=trust())
    assert codes(appraisal) == {"evidence.tpm2.ak-binding": "evidence.tpm2.ak-name-unbound"}


def test_windows_ak_that_signs_with_sha1_is_refused():
    appraisal = appraise(real.windows_dump(), challenge=b"", at=AT, trust=trust())
    failed = {check.code for check in appraisal.failed}
    assert {"evidence.tpm2.ak-key-weak", "evidence.tpm2.pcr-bank-weak"} <= failed
    by_id = {check.id: check for check in appraisal.checks}
    assert by_id["evidence.tpm2.signature"].outcome == "PASS"  # read and verified, and still not enough
    assert by_id["evidence.tpm2.pcr-digest"].outcome == "PASS"


def test_dstack_attestation_parses():
    attest = parse_attest(real.read("dstack/tpm_quote_sample.bin"))
    assert attest.quote is not None
    assert attest.encode() == real.read("dstack/tpm_quote_sample.bin")


@pytest.mark.parametrize("offset", [-1, 0, 1])
@pytest.mark.parametrize("edge", ["not_valid_before_utc", "not_valid_after_utc"])
def test_validity_window_to_the_second(edge, offset):
    members = real.gce_quotes("gce-cos-85-nonce9009")["sha256"]
    leaf = x509.load_der_x509_certificate(members["ak_certificate"])
    at = getattr(leaf, edge) + timedelta(seconds=offset)
    appraisal = appraise(members, challenge=b"\x90\x09", at=at, trust=trust())
    inside = offset >= 0 if edge == "not_valid_before_utc" else offset <= 0
    assert appraisal.passed is inside
    if not inside:
        assert codes(appraisal)["evidence.tpm2.ak-certificate"] == "evidence.tpm2.ak-chain-expired"
