# SPDX-License-Identifier: AGPL-3.0-or-later
"""CBOR, policies, hostile bytes."""

from __future__ import annotations

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation.errors import MalformedError, OperationalError
from attestation.nitro import NitroTrust, cbor, read
from attestation.nitro.document import MAX_PAYLOAD, parse_document, parse_envelope
from tests.attestation.nitro.paper import HONEST, TYPED, authority, fields, judge
from verifier.errors import MalformedError as PolicyError
from verifier.fields import Fields
from verifier.trust import nitro as policy

# CBOR


@pytest.mark.parametrize(
    "payload",
    [
        "a2 01 00 01 00",  # a key twice
        "a2 01 00 01 00 02 00",
        "bf 01 00 01 00 ff",
        "bf 01 00",  # no end
        "a1 01 bfff",  # an indefinite map below the document
        "a1 18 01 00",  # 1 in two octets
        "a1 01 1900ff",
        "a1 01 1a0000ffff",
        "a1 01 1b00000000ffffffff",
        "a1 01 5f4100ff",  # a byte string in parts
        "a1 01 9fff",
        "a1 01 c100",  # a tag
        "a1 01 f4",  # false
        "a1 01 f7",  # undefined
        "a1 01 f90000",
        "a1 01 20",  # -1
        "a1 01 1c",  # reserved
        "a1 01 61ff",  # no UTF-8
        "a1 f6 00",  # null as key
        "a1 41 00 00",  # bytes as key
        "a1 01 818181818100",  # deep
        "a1 01 9bffffffffffffffff",
        "bbffffffffffffffff",
        "ff",
        "a1 01 00 00",  # something behind it
    ],
)
def test_cbor_that_is_none_here(payload):
    """By the grammar alone: as documents they would be refused for their fields, too."""
    with pytest.raises(MalformedError) as caught:
        cbor.decode(bytes.fromhex(payload), "evidence.nitro.document")
    assert caught.value.code.startswith("evidence.nitro.document-")


@pytest.mark.parametrize(
    "changes",
    [
        {"module_id": "i-0\n"},
        {"module_id": b"i-0"},
        {"pcrs": {"0": bytes(48)}},
        {"pcrs": {32: bytes(48)}},
        {"pcrs": [0]},
        {"cabundle": {"0": b"x"}},
        {"timestamp": "0"},
    ],
)
def test_fields_of_another_kind(changes):
    parse_document(cbor2.dumps(fields()))
    with pytest.raises(MalformedError) as caught:
        parse_document(cbor2.dumps(fields(**changes)))
    assert caught.value.code == "evidence.nitro.document-malformed"


@pytest.mark.parametrize("payload", ["text", None, {}, b"", bytes(MAX_PAYLOAD + 1)])
def test_payloads_of_an_envelope(payload):
    with pytest.raises(MalformedError) as caught:
        judge(cbor2.dumps([bytes.fromhex("a1013822"), {}, payload, b"\1" * 96]))
    assert caught.value.code.startswith("evidence.nitro.cose-")


@pytest.mark.parametrize("payload", ["00", "f6", "80", "40", "a0"])
def test_values_that_are_no_document(payload):
    with pytest.raises(MalformedError) as caught:
        parse_document(bytes.fromhex(payload))
    assert caught.value.code == "evidence.nitro.document-malformed"


def test_every_truncation_and_extension_of_a_payload():
    payload = cbor2.dumps(fields())
    for cut in range(len(payload)):
        with pytest.raises(MalformedError):
            parse_document(payload[:cut])
    with pytest.raises(MalformedError) as caught:
        parse_document(payload + b"\0")
    assert caught.value.code == "evidence.nitro.document-trailing"
    with pytest.raises(MalformedError) as caught:
        parse_document(payload[:-1])
    assert caught.value.code == "evidence.nitro.document-truncated"


@given(st.integers(0, 2**64 - 1))
def test_heads_are_the_shortest(number):
    assert cbor.head(0, number) == cbor2.dumps(number)
    assert cbor.decode(cbor2.dumps(number), "evidence.nitro.document") == number


def test_numbers_beyond_64_bits_have_no_head():
    with pytest.raises(OverflowError):
        cbor.head(0, 2**64)


# Trust


@pytest.mark.parametrize(
    "settings",
    [
        {"reference_pcrs": {32: frozenset({b"\1" * 48})}},
        {"reference_pcrs": {0: frozenset()}},
        {"reference_pcrs": {0: frozenset({b"\1" * 32})}},
        {"reference_pcrs": {0: frozenset({bytes(48)})}},
        {"reference_pcrs": {-1: frozenset({b"\1" * 48})}},
        {"reference_pcrs": {0: frozenset({b"\1" * 48, b"\1" * 32})}},
        {"reference_pcrs": {0: frozenset({b"\1" * 48, bytes(48)})}},
        {"challenge_field": "public_key"},
        {"max_age": -1},
        {"max_skew": -1},
    ],
)
def test_meaningless_trust_is_refused(settings):
    with pytest.raises(OperationalError) as caught:
        NitroTrust(**settings)
    assert caught.value.code == "evidence.nitro.trust-invalid"


def test_table_of_a_policy():
    pem = authority()[0].pem.decode()
    table = {
        "roots": [pem],
        "pcrs": {"0": ["01" * 48, "02" * 48], "8": ["00" * 48]},
        "challenge_field": "user_data",
        "max_age_seconds": 300,
        "max_skew_seconds": 0,
        "require_crl": True,
    }
    trust = policy.read(Fields.of(table, "evidence.nitro", "policy.malformed"))
    assert trust == NitroTrust(
        roots=(authority()[0].der,),
        reference_pcrs={0: frozenset({b"\1" * 48, b"\2" * 48}), 8: frozenset({bytes(48)})},
        challenge_field="user_data",
        max_age=300,
        max_skew=0,
        require_crl=True,
    )
    assert policy.read(Fields.of({}, "evidence.nitro", "policy.malformed")) == NitroTrust()


@pytest.mark.parametrize(
    "table",
    [
        {"root": []},
        {"roots": ["x"]},
        {"pcrs": {"00": []}},
        {"pcrs": {"32": ["00" * 48]}},
        {"pcrs": {"0": []}},
        {"pcrs": {"0": ["00" * 48]}},
        {"pcrs": {"3": ["00" * 32]}},
        {"challenge_field": "x"},
        {"max_age_seconds": -1},
        {"max_skew_seconds": True},
        {"require_crl": 1},
    ],
)
def test_tables_that_mean_nothing(table):
    with pytest.raises(PolicyError):
        policy.read(Fields.of(table, "evidence.nitro", "policy.malformed"))


# Hostile bytes


@pytest.mark.fuzz
@given(st.binary(max_size=300))
def test_hostile_bytes(data):
    for parse in (parse_document, parse_envelope, read):
        try:
            parse(data)
        except MalformedError:
            continue


@pytest.mark.fuzz
@given(st.lists(st.tuples(st.integers(0, 9000), st.integers(0, 255)), min_size=1, max_size=5), st.integers(0, 9000))
def test_hostile_edits(edits, cut):
    data = bytearray(HONEST)
    for position, octet in edits:
        data[position % len(data)] = octet
    edited = bytes(data[: max(1, cut)])
    try:
        passed = judge(edited).passed
    except TYPED:
        return
    assert not passed or edited == HONEST
