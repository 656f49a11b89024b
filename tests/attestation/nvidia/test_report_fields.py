# SPDX-License-Identifier: AGPL-3.0-or-later
"""Firmware identity, opaque data, policies; hostile bytes against every parser."""

from __future__ import annotations

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from attestation.errors import MalformedError, OperationalError, UnsupportedError
from attestation.nvidia import NvidiaTrust, read_gpus, read_switches
from attestation.nvidia.fwid import parse_composite, parse_tcb_info, read_identity
from attestation.nvidia.opaque import parse_opaque
from attestation.nvidia.spdm import parse_report
from tests.attestation.nvidia.paper import (
    HONEST,
    blocks,
    device,
    device_root,
    faults,
    fwid,
    judge,
    make_device,
    measurements,
    members,
    one,
    opaque,
    report,
    tlv,
)
from verifier.errors import MalformedError as PolicyError
from verifier.fields import Fields
from verifier.trust import nvidia as policy

# Firmware identity


def test_firmware_identities():
    parsed = read_identity(device().chain[0].certificate)
    assert parsed is not None and parsed.fwid == device().fwid and parsed.device_key is not None
    other = report(fields={**device().fields, 20: bytes(48)})
    assert faults(judge(one(other))) == {"evidence.nvidia.fwid-mismatch"}
    silent = report(fields={number: value for number, value in device().fields.items() if number != 20})
    assert judge(one(silent)).passed
    none = make_device(4, leaf={"extensions": []})
    assert faults(judge(members(none))) == {"evidence.nvidia.fwid-mismatch"}


def test_certificate_that_names_another_device():
    spki = tlv(0x30, b"\x02\x01\x01")
    wrong = tlv(0x30, tlv(0x02, b"\x01"), spki, fwid(device().fwid))
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.23.133.5.4.1"), wrong)
    of = make_device(5, leaf={"extensions": [(extension, False)]})
    assert faults(judge(members(of))) == {"evidence.nvidia.fwid-device"}


def test_tcb_info():
    digest = bytes(range(48))
    info = tlv(0x30, tlv(0x80, b"NVIDIA"), tlv(0xA6, fwid(digest), fwid(bytes(48))), tlv(0x87, b"\0"))
    assert parse_tcb_info(info).fwid == digest
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.23.133.5.4.1.1"), info)
    of = make_device(6, leaf={"extensions": [(extension, False)]})
    data = report(of, fields={**of.fields, 20: digest})
    assert judge(one(data, of.der)).passed


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x30",
        b"\x30\x80",
        b"\x30\x83\x00\x00\x01\x00",
        b"\x30\x81\x03\x02\x01\x01",
        b"\x30\x00\x00",
        b"\x31\x03\x02\x01\x01",
        tlv(0x30, tlv(0x02, b"\x02"), tlv(0x30), fwid(bytes(48))),
        tlv(0x30, tlv(0x02, b"\x01"), tlv(0x30), fwid(bytes(32))),
        tlv(0x30, tlv(0x02, b"\x01"), tlv(0x30), fwid(bytes(48)), b"\x05\x00"),
        tlv(0x30, tlv(0x02, b"\x01"), tlv(0x30), tlv(0x30, tlv(0x06, b"\x2a"), tlv(0x04, bytes(48)))),
        tlv(0x30, tlv(0x80, b"x")),
        tlv(0x30, tlv(0xA6)),
        tlv(0x30, tlv(0xA6, fwid(bytes(48)), b"\0")),
    ],
)
def test_identities_that_are_none(data):
    for parse in (parse_composite, parse_tcb_info):
        with pytest.raises(MalformedError) as caught:
            parse(data)
        assert caught.value.code.startswith("evidence.nvidia.fwid-")


# Opaque data


def test_layouts_that_nobody_published():
    newer = report(fields={**device().fields, 34: b"\2\0"})
    appraisal = judge(one(newer))
    assert faults(appraisal) == {"evidence.nvidia.opaque-version"} and not appraisal.failed
    unknown = judge(one(report(fields={**device().fields, 99: b"\2\0"})))
    assert unknown.passed and unknown.claims["devices"][0]["field_99"] == "0200"
    assert [check.code for check in unknown.checks if check.warning] == ["evidence.nvidia.opaque-unknown"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x01", "truncated"),
        (b"\x01\x00\x05\x00abc", "truncated"),
        (b"\x01\x00\x00\x00\x01\x00\x00\x00", "malformed"),
        (b"\x22\x00\x00\x00", "malformed"),
        (b"\x22\x00\x09\x00" + bytes(9), "malformed"),
    ],
)
def test_opaque_data_that_is_none(data, code):
    with pytest.raises(MalformedError) as caught:
        parse_opaque(data, switch=False)
    assert caught.value.code == f"evidence.nvidia.opaque-{code}"


def test_what_the_fields_say():
    told = parse_opaque(
        opaque({3: b"\xff", 6: b"x" * 99, 11: b"\xaa", 21: b"\x07", 22: bytes(range(16)), 36: b"\x09", 35: b"GB202\0"}),
        switch=False,
    )
    found = told.describe()
    assert found["driver_version"] == "ff" and found["vbios_version"] == "78" * 99 and found["nvdec0"] is True
    assert found["protected_pcie"] == "07" and found["mode"] == "09" and found["chip_info"] == "GB202"
    assert found["switch_pdis"] == ["0706050403020100", "0f0e0d0c0b0a0908"]


# Trust


@pytest.mark.parametrize("count", [0, 17, -1])
def test_meaningless_trust_is_refused(count):
    with pytest.raises(OperationalError) as caught:
        NvidiaTrust(device_count=count)
    assert caught.value.code == "evidence.nvidia.trust-invalid"


def test_table_of_a_policy():
    table = {
        "device_roots": [device_root().pem.decode()],
        "rim_roots": [],
        "require_rims": False,
        "require_ocsp": False,
        "device_count": 8,
    }
    trust = policy.read(Fields.of(table, "evidence.nvidia", "policy.malformed"))
    assert trust == NvidiaTrust(
        device_roots=(device_root().der,), rim_roots=(), require_rims=False, require_ocsp=False, device_count=8
    )
    assert policy.read(Fields.of({}, "evidence.nvidia", "policy.malformed")) == NvidiaTrust()


@pytest.mark.parametrize(
    "table",
    [{"roots": []}, {"device_roots": ["x"]}, {"require_rims": 0}, {"require_ocsp": "no"}, {"device_count": 0}],
)
def test_tables_that_mean_nothing(table):
    with pytest.raises(PolicyError):
        policy.read(Fields.of(table, "evidence.nvidia", "policy.malformed"))


# Hostile bytes

TYPED = (MalformedError, UnsupportedError)


@pytest.mark.fuzz
@given(st.binary(max_size=300))
def test_hostile_bytes(data):
    parsers = (
        parse_report,
        lambda part: parse_opaque(part, switch=False).describe(),
        lambda part: parse_opaque(part, switch=True).describe(),
        parse_composite,
        parse_tcb_info,
        read_gpus,
        read_switches,
    )
    for parse in parsers:
        try:
            parse(data)
        except TYPED:
            continue


@pytest.mark.fuzz
@given(
    st.sampled_from(sorted(HONEST)),
    st.lists(st.tuples(st.integers(0, 9000), st.integers(0, 255)), min_size=1, max_size=5),
    st.integers(1, 9000),
    st.binary(max_size=4),
)
def test_hostile_edits(name, edits, cut, tail):
    data = bytearray(HONEST[name])
    for position, octet in edits:
        data[position % len(data)] = octet
    edited = bytes(data[:cut]) + tail
    try:
        passed = judge({**HONEST, name: edited}).passed
    except TYPED:
        return
    assert not passed or edited == HONEST[name]


@pytest.mark.fuzz
@given(st.dictionaries(st.integers(0, 65535), st.binary(max_size=20), max_size=8))
def test_any_field_in_a_signed_report(fields):
    """What a device may sign some day: told, or refused with a type."""
    try:
        appraisal = judge(one(report(fields=fields)))
    except TYPED:
        return
    assert isinstance(appraisal.claims["devices"][0], dict)


def test_blocks_in_order_only():
    values = measurements()
    for record, count in (
        (blocks({2: values[2], 1: values[1]}), 2),
        (blocks({1: values[1]}) * 2, 2),
        (blocks({1: values[1]}), 0),
        (blocks({1: values[1]}), 2),
        (blocks({1: values[1], 2: values[2]}), 1),
        (blocks({1: b"x" * 47}), 1),
        (blocks({0: values[1]}), 1),
        (b"\x01\x02" + blocks({1: values[1]})[2:], 1),
        (blocks({1: values[1]})[:-1], 1),
    ):
        with pytest.raises(MalformedError) as caught:
            judge(one(report(record=record, count=count)))
        assert caught.value.code.startswith("evidence.nvidia.report-")
