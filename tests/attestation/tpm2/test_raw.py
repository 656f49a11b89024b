# SPDX-License-Identifier: AGPL-3.0-or-later
"""TPM evidence in the files of others: the real ones, the same content in their other syntaxes, and broken ones."""

from __future__ import annotations

import base64
import json
import tracemalloc
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation.collateral import sort_collateral
from attestation.errors import EvidenceError, MalformedError
from attestation.raw import members_document
from attestation.tpm2 import TYPE, Tpm2Trust, appraise, protobuf, read
from attestation.tpm2.ak import load_ak
from attestation.tpm2.serialized import is_serialized, parse_serialized
from attestation.tpm2.vendors import PINNED_PLATFORM_AK_ISSUERS
from tests.attestation import real
from tests.attestation.paper import PaperTpm, codes, judge

AT = datetime(2026, 1, 1, tzinfo=UTC)
GCE = "gce-attestation/gce-cos-85-nonce9009.pb"
QUOTED = ("ak_public", "attest", "signature", "pcrs", "event_log", "ak_certificate")


def gce():
    return real.gce_quotes("gce-cos-85-nonce9009")["sha256"]


def octal(data):
    return "".join(f"\\{octet:03o}" for octet in data)


def gce_text():
    """The message in protobuf's text form, with the three quotes."""
    lines = [f'ak_pub: "{octal(gce()["ak_public"])}"  # a comment', f"ak_cert: '{octal(gce()['ak_certificate'])}'"]
    for bank, members in real.gce_quotes("gce-cos-85-nonce9009").items():
        pcrs = "".join(
            f' pcrs {{ key: {index} value: "{octal(bytes.fromhex(value))}" }}'
            for _, index, value in (line.split() for line in members["pcrs"].decode().splitlines())
        )
        quote, signature = octal(members["attest"]), octal(members["signature"])
        lines.append(f'quotes: {{ quote: "{quote[:8]}" "{quote[8:]}" raw_sig: "{signature}"')
        lines.append(f"  pcrs: < hash: {bank.upper()}{pcrs} > }}")
    return "\n".join([*lines, f'event_log: "{octal(gce()["event_log"])}"', "instance_info { zone: 'a' }"])


def gce_json():
    quotes = []
    for bank, members in real.gce_quotes("gce-cos-85-nonce9009").items():
        pcrs = {
            index: base64.b64encode(bytes.fromhex(value)).decode()
            for _, index, value in (line.split() for line in members["pcrs"].decode().splitlines())
        }
        parts = {"quote": members["attest"], "rawSig": members["signature"]}
        quote = {name: base64.b64encode(value).decode() for name, value in parts.items()}
        quotes.append({**quote, "pcrs": {"hash": bank.upper(), "pcrs": pcrs}})
    fields = {"akPub": "ak_public", "akCert": "ak_certificate", "eventLog": "event_log"}
    return {
        "quotes": quotes,
        **{name: base64.b64encode(gce()[member]).decode() for name, member in fields.items()},
    }


def test_go_tpm_tools_message():
    data = real.read(GCE)
    members = read(data)
    assert members == {name: gce()[name] for name in QUOTED}
    for other in (data.hex().encode(), base64.b64encode(data), gce_text().encode(), json.dumps(gce_json()).encode()):
        assert read(other) == members
    intermediate = real.certificate("gce-ak-certs/ca/tpm_ek_intermediate_2.crt")
    members["ak_chain"] = intermediate
    length = bytes([len(intermediate) & 0x7F | 0x80, len(intermediate) >> 7])
    assert read(data + b"\x3a" + length + intermediate) == members
    trust = Tpm2Trust(platform_ak_issuers=PINNED_PLATFORM_AK_ISSUERS, require_event_log=True)
    assert appraise(members, challenge=b"\x90\x09", at=AT, trust=trust).passed


def outside_the_log():
    """Bits of the message that are not in the event log's bytes, most of whose data no register covers."""
    data = real.read(GCE)
    start = data.index(gce()["event_log"])
    return [bit for bit in range(len(data) * 8) if not start <= bit // 8 < start + len(gce()["event_log"])]


def accepted_flips(bits):
    data, trust = real.read(GCE), Tpm2Trust(platform_ak_issuers=PINNED_PLATFORM_AK_ISSUERS)
    links = sort_collateral([real.certificate("gce-ak-certs/ca/tpm_ek_intermediate_2.crt")])
    for bit in bits:
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            members = read(bytes(flipped))
            members.pop("event_log", None)
            found = appraise(members, challenge=b"\x90\x09", at=AT, trust=trust, collateral=links)
        except EvidenceError:
            continue
        if found.passed:
            yield bit


def test_no_bit_of_the_message_can_change():
    assert list(accepted_flips(outside_the_log()[::17])) == []


@pytest.mark.exhaustive
def test_no_bit_of_the_message_can_change_exhaustively():
    assert list(accepted_flips(outside_the_log())) == []


def test_trustee_evidence():
    members = read(real.read("trustee/tpm_evidence.json"))
    assert set(members) == {"attest", "signature", "pcrs", "ak_key"}
    unknown = appraise(members, challenge=None, at=AT, trust=Tpm2Trust())
    assert not unknown.failed and not unknown.passed
    assert codes(unknown)["evidence.tpm2.ak-attributes"] == "evidence.tpm2.ak-attributes-unknown"
    trust = Tpm2Trust(ak_keys=frozenset({load_ak(members).fingerprint}))
    said = appraise(members, challenge=None, at=AT, trust=trust)
    assert said.passed and said.claims["ak_issuer"] == "enrolled" and "ak_name" not in said.claims
    challenge = bytes.fromhex(said.claims["challenge"]).rstrip(b"\0")
    assert appraise(members, challenge=challenge, at=AT, trust=trust).passed  # Trustee fills it up to 64 bytes
    for wrong in (challenge[:-1], challenge + b"\1", bytes(64), challenge[:-1] + b"\0"):
        assert appraise(members, challenge=wrong, at=AT, trust=trust).failed


def test_trustee_evidence_with_a_public_area():
    """The attester of today sends TPMT_PUBLIC."""
    paper = PaperTpm().members()
    values = [line.split()[2] for line in paper["pcrs"].decode().splitlines()]
    quote = {name: base64.b64encode(paper[part]).decode() for name, part in (("message", "attest"), ("signature",) * 2)}
    found: dict[str, Any] = {
        "ak_public": base64.b64encode(paper["ak_public"]).decode(),
        "tpm_quote": {**quote, "pcrs": values},
    }
    assert read(json.dumps(found).encode()) == {k: paper[k] for k in ("attest", "signature", "ak_public", "pcrs")}
    for index in (0, 7, 15):  # one value changed
        other = [*values]
        other[index] = "00" * 31 + "01"
        found["tpm_quote"]["pcrs"] = other
        assert "evidence.tpm2.pcr-digest" in codes(judge(read(json.dumps(found).encode())))
    found["tpm_quote"]["pcrs"] = [*values, *["00" * 32] * 8]  # the whole bank for a quote of 16
    assert read(json.dumps(found).encode())["pcrs"] == paper["pcrs"]


def test_go_attestation_dump():
    assert read(real.read("go-attestation/windows_gcp_shielded_vm.json")) == real.windows_dump()


def test_files_of_tpm2_tools():
    """What tpm2_readpublic, tpm2_quote and tpm2_pcrread write, as members of this project's JSON."""
    paper = PaperTpm().members()
    public = paper["ak_public"]
    ak = load_ak(paper)
    values = b"".join(bytes.fromhex(line.split()[2]) for line in paper["pcrs"].decode().splitlines())
    sized = len(public).to_bytes(2, "big") + public
    assert read(members_document(TYPE, {**paper, "ak_public": sized, "pcrs": values})) == paper
    pem = b"-----BEGIN PUBLIC KEY-----\n" + base64.encodebytes(ak.spki) + b"-----END PUBLIC KEY-----\n"
    for form in (pem, ak.spki):
        found = read(members_document(TYPE, {**paper, "ak_public": form}))
        assert found["ak_key"] == ak.spki and "ak_public" not in found
    assert read(members_document(TYPE, paper)) == paper


def test_both_kinds_of_key_or_none_are_malformed():
    paper = PaperTpm().members()
    spki = load_ak(paper).spki
    for members, code in (
        ({**paper, "ak_key": spki}, "ak-key-ambiguous"),
        ({k: v for k, v in paper.items() if k != "ak_public"}, "member-missing"),
        ({**{k: v for k, v in paper.items() if k != "ak_public"}, "ak_key": spki[:-1]}, "ak-key-malformed"),
        ({**{k: v for k, v in paper.items() if k != "ak_public"}, "ak_key": spki + b"\0"}, "ak-key-malformed"),
    ):
        with pytest.raises(MalformedError) as caught:
            judge(members)
        assert caught.value.code == f"evidence.tpm2.{code}"


TEXT = 'ak_pub: "a" quotes { quote: "b" raw_sig: "c" pcrs { hash: SHA256 pcrs { key: 1 value: "%s" } } }' % ("d" * 32)


def test_text_form():
    found = read(TEXT.encode())
    assert found == {
        "ak_public": b"a",
        "attest": b"b",
        "signature": b"c",
        "pcrs": b"sha256 1 " + b"64" * 32 + b"\n",
    }


@pytest.mark.parametrize(
    "data",
    [
        b"no evidence at all",
        b"{}",
        b"[]",
        b'{"tpm_quote": 1, "ak_public": ""}',
        b'{"tpm_quote": {"pcrs": [1], "message": "", "signature": ""}, "ak_public": ""}',
        b'{"AK": {}, "Quote": {}, "Log": {}}',
        b'{"quotes": [1], "akPub": "YQ=="}',
        b'{"quotes": [], "akPub": "YQ=="}',
        b'{"quotes": [{"quote": "", "rawSig": "", "pcrs": {"hash": "MD5", "pcrs": {}}}]}',
        TEXT.replace("}", "", 1).encode(),
        TEXT.replace("SHA256", "SM3_256").encode(),
        TEXT.replace("key: 1", "key: 99").encode(),
        TEXT.replace('"c"', '"\\9"').encode(),
        TEXT.replace("quotes {", "quotes: [").encode(),
        (TEXT + TEXT).encode(),
        (TEXT + " ak_pub").encode(),
        (TEXT + " ak_pub: ").encode(),
        (TEXT + " x: 999999999999999999999").encode(),
        (TEXT + " x {" * 20).encode(),
        (TEXT + " \x00").encode(),
        b"\n\x05ab",
        real.read(GCE) + b"\x22\x02\x0a\x00\xff",
        real.read(GCE) + b"\x22\x03\x0a\x01\xff",
        real.read(GCE) + b"\x22\x02\x10\x01",
        real.read(GCE) + b"\x52\x00",
        real.read(GCE) + b"\x1a\x01a",
        b"\n\x01a\x13\x01a\x14",
        b"\xff" * 40,
    ],
)
def test_broken_files_are_malformed(data):
    with pytest.raises(MalformedError) as caught:
        read(data)
    assert caught.value.code == "evidence.tpm2.raw-malformed"


def test_limits_of_protobuf():
    with pytest.raises(ValueError, match="fields"):
        list(protobuf.fields(b"\x08\x01" * (protobuf.MAX_FIELDS + 1)))
    with pytest.raises(ValueError, match="without end"):
        list(protobuf.fields(b"\x80" * 11))


def outcome(data):
    try:
        return isinstance(read(data), dict)
    except MalformedError as error:
        return error.code.startswith("evidence.tpm2.raw-")


@given(st.binary(max_size=200))
def test_any_file_has_a_typed_outcome(data):
    for candidate in (data, real.read(GCE)[:300] + data, b"ak_pub: " + data, TEXT.encode()[: len(data)] + data):
        assert outcome(candidate)


KEYLIME = {"attest": "quote.out", "signature": "quotesig.out", "pcrs": "quotepcr.out", "ak_public": "ak.pub"}
"""Files of tpm2-tools from keylime's tests: PCRs 15, 16 and 22 in the form `serialized`."""


def keylime_files():
    return {member: real.read(f"keylime/{name}") for member, name in KEYLIME.items()}


def keylime_quote(parts):
    return "r" + ":".join(base64.b64encode(parts[name]).decode() for name in ("attest", "signature", "pcrs"))


def keylime_json(**changes):
    parts = keylime_files()
    data = {"quote": keylime_quote(parts), "tpm_ak": base64.b64encode(parts["ak_public"]).decode(), "nonce": "x"}
    return {"type": "tpm", "data": {**data, "hash_alg": "sha256", **changes}}


def test_tpm2_tools_serialized_pcrs():
    members = read(members_document(TYPE, keylime_files()))
    nonce = bytes.fromhex("db1db298db6d60e6385b7231743e9c3056a18003")
    trust = Tpm2Trust(ak_names=frozenset({load_ak(members).enrolled_by[0]}))
    appraisal = appraise(members, challenge=nonce, at=AT, trust=trust)
    assert appraisal.passed, codes(appraisal)
    assert set(appraisal.claims["pcrs"]) == {"sha256:15", "sha256:16", "sha256:22"}
    assert not appraise(members, challenge=nonce[:-1], at=AT, trust=trust).passed


def test_keylime():
    members = read(members_document(TYPE, keylime_files()))
    found = keylime_json()
    assert read(json.dumps(found).encode()) == members
    assert read(json.dumps(found["data"]).encode()) == members
    measured, log = "10 " + "0" * 40 + " ima-ng sha256:" + "0" * 64 + " x\n", base64.b64encode(b"log").decode()
    more = keylime_json(ima_measurement_list=measured, mb_log=log)
    assert read(json.dumps(more).encode()) == {**members, "ima_log": measured.encode(), "event_log": b"log"}
    answer = {"code": 200, "results": {"quote": found["data"]["quote"], "aik_tpm": found["data"]["tpm_ak"]}}
    assert read(json.dumps(answer).encode()) == members


@pytest.mark.parametrize(
    "changes",
    [
        {"tpm_ak": "AAAA", "ak_tpm": "AAAB"},
        {"tpm_ak": "AAAA"},
        {"ak_tpm": "AAAA"},
        {"quote": "r::"},
        {"quote": "rAAAA:AAAA:AAAA"},
        {"quote": "r!:!:!"},
        {"ima_measurement_list": [1]},
        {"mb_log": "AAAA", "mb_measurement_list": "BBBB"},
    ],
)
def test_keylime_refused(changes):
    with pytest.raises(MalformedError) as caught:
        read(json.dumps(keylime_json(**changes)).encode())
    assert caught.value.code == "evidence.tpm2.raw-malformed"


def test_every_bit_of_serialized_pcrs_counts():
    data = real.read("keylime/quotepcr.out")
    values = parse_serialized(data)
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            assert parse_serialized(bytes(flipped)) != values
        except MalformedError:
            continue
    for size in range(0, len(data), 7):
        with pytest.raises(MalformedError):
            parse_serialized(data[:size])
    with pytest.raises(MalformedError):
        parse_serialized(data + b"\0")


@given(st.binary(max_size=800))
def test_serialized_is_total(data):
    is_serialized(data)
    with suppress(MalformedError):
        parse_serialized(data)


def test_a_string_that_never_ends_takes_no_memory_for_each_character():
    text = 'machine_state: "' + "x\\n" * 500_000
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="unexpected text"):
            protobuf.text_fields(text)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_escapes_in_text_take_no_more_memory_than_text():
    text = 'machine_state: "' + "\\0" * 500_000 + '"'
    tracemalloc.start()
    try:
        assert protobuf.text_fields(text) == [("machine_state", bytes(500_000))]
        assert tracemalloc.get_traced_memory()[1] < 4 * len(text)
    finally:
        tracemalloc.stop()
    with pytest.raises(ValueError, match="at most"):
        protobuf.text_fields(" " * (protobuf.MAX_TEXT + 1))
