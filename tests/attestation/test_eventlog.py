# SPDX-License-Identifier: AGPL-3.0-or-later
"""Event logs: real ones replayed to real quotes, grammar, coverage, variables."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation.errors import MalformedError, UnsupportedError
from attestation.eventlog import (
    MAX_EVENTS,
    MAX_LOG,
    Event,
    EventLog,
    SpecId,
    cover,
    parse_event_log,
    replay,
    secure_boot,
)
from attestation.eventlog.events import (
    EV_EFI_HCRTM_EVENT,
    EV_NO_ACTION,
    EV_SEPARATOR,
    HASHABLE,
    digest,
    word,
)
from attestation.eventlog.replay import STARTUP_LOCALITY, initial_value
from attestation.eventlog.variables import EFI_GLOBAL_VARIABLE, UefiVariable, parse_variable
from attestation.tpm2.boot import boot_log, node_software_event, node_software_pcr


def test_log_of_the_software_boot_has_one_form():
    log = boot_log(("sha1", "sha256"), bytes(32))
    data = log.encode()
    parsed = parse_event_log(data)
    assert parsed == log
    assert replay(parsed, "sha256")[13] == node_software_pcr(bytes(32))
    assert parsed.events[-1].data == node_software_event(bytes(32))


@pytest.mark.parametrize("cut", [1, 4, 31, 32, 60, 69, 70, 100])
def test_truncated_log(cut):
    data = boot_log(("sha256",), bytes(32)).encode()
    with pytest.raises(MalformedError) as caught:
        parse_event_log(data[:cut])
    assert caught.value.code in ("evidence.eventlog.log-truncated", "evidence.eventlog.log-malformed")


def _agile(*events: Event, algorithms: tuple[str, ...] = ("sha256",)) -> bytes:
    spec = SpecId(0, 0, 2, 0, 2, algorithms)
    return EventLog(spec, spec.header(), events).encode()


def _event(register: int = 0, kind: int = EV_SEPARATOR, data: bytes = bytes(4)) -> Event:
    return Event(register, kind, {"sha256": digest("sha256", data)}, data)


HEADER = len(_agile())


BAD = {
    "register beyond 31": _agile(_event(register=32)),
    "no register, yet measured": _agile(_event(register=0xFFFFFFFF)),
    "too few digests": _agile(replace(_event(), digests={})),
    "too many digests": _agile(_event())[: HEADER + 8] + word(2) + _agile(_event())[HEADER + 12 :],
    "foreign algorithm": _agile(replace(_event(), digests={"sha1": bytes(20)})),
    "digest twice": _agile(
        Event(0, EV_SEPARATOR, {"sha256": bytes(32), "sha1": bytes(20)}, b""), algorithms=("sha256", "sha1")
    ).replace(b"\x04\x00" + bytes(20), b"\x0b\x00" + bytes(32)),
    "event longer than the log": _agile(_event())[:-8] + word(0xFFFFFFFF) + bytes(4),
    "no algorithms": EventLog(SpecId(0, 0, 2, 0, 2, ()), SpecId(0, 0, 2, 0, 2, ()).header(), ()).encode(),
    "algorithm twice in the header": _agile(algorithms=("sha256", "sha256")),
}


@pytest.mark.parametrize("name", BAD)
def test_malformed_log(name):
    with pytest.raises(MalformedError) as caught:
        parse_event_log(BAD[name])
    assert caught.value.code.startswith("evidence.eventlog.log-")


def test_unknown_algorithm_in_the_header_is_unsupported():
    data = _agile(_event())
    with pytest.raises(UnsupportedError) as caught:
        parse_event_log(data.replace(b"\x0b\x00\x20\x00", b"\x99\x00\x20\x00", 1))
    assert caught.value.code == "evidence.eventlog.algorithm-unsupported"


def test_limits():
    with pytest.raises(MalformedError) as caught:
        parse_event_log(bytes(MAX_LOG + 1))
    assert caught.value.code == "evidence.eventlog.log-too-large"
    one = Event(0, EV_NO_ACTION, {}, b"").encode(agile=True)
    with pytest.raises(MalformedError) as caught:
        parse_event_log(_agile() + one * (MAX_EVENTS + 1))
    assert caught.value.code == "evidence.eventlog.log-too-large"


@given(
    st.lists(
        st.builds(
            lambda register, kind, data: Event(register, kind, {"sha256": digest("sha256", data)}, data),
            st.integers(0, 31),
            st.integers(0, 0xFFFFFFFF),
            st.binary(max_size=40),
        ),
        max_size=8,
    )
)
def test_round_trip_and_replay_against_the_plain_formula(events):
    data = _agile(*events)
    log = parse_event_log(data)
    assert log.encode() == data and log.events == tuple(events)
    expected: dict[int, bytes] = {}
    hcrtm = next((e for e in events if e.register == 0 and e.type == EV_EFI_HCRTM_EVENT), None)
    for event in events:
        if event.type != EV_NO_ACTION:
            start = initial_value("sha256", event.register, 4 if hcrtm else 0)
            before = expected.get(event.register, start)
            expected[event.register] = digest("sha256", before + event.digests["sha256"])
    assert replay(log, "sha256") == expected


@pytest.mark.parametrize(("locality", "last"), [(0, 0), (3, 3), (4, 4), (7, 0)])
def test_startup_locality_sets_pcr_0(locality, last):
    note = Event(0, EV_NO_ACTION, {"sha256": bytes(32)}, STARTUP_LOCALITY + bytes([locality]))
    log = parse_event_log(_agile(note, _event()))
    assert replay(log, "sha256")[0] == digest("sha256", bytes(31) + bytes([last]) + digest("sha256", bytes(4)))


def test_initial_values():
    assert initial_value("sha1", 17) == b"\xff" * 20
    assert initial_value("sha256", 23) == bytes(32)
    assert initial_value("sha384", 0, 3) == bytes(47) + b"\x03"
    assert {"sha1", "sha256", "sha384", "sha512"} <= HASHABLE


def test_secure_boot_needs_exactly_one_answer():
    on = UefiVariable(EFI_GLOBAL_VARIABLE, "SecureBoot", b"\x01").encode()
    off = UefiVariable(EFI_GLOBAL_VARIABLE, "SecureBoot", b"\x00").encode()
    other = UefiVariable(uuid.UUID(int=1), "SecureBoot", b"\x01").encode()

    def state(*data: bytes) -> bool | None:
        log = parse_event_log(_agile(*(_event(7, 0x80000001, item) for item in data)))
        return secure_boot(log, cover(log, "sha256", replay(log, "sha256")))

    assert state(on) is True
    assert state(off) is False
    assert state(on, off) is None
    assert state(other) is None
    assert state(b"\x00\x01", on, bytes(4), off) is True  # what follows the separator is not the state
    assert state(bytes(4), on) is None


@given(st.uuids(), st.text(max_size=20), st.binary(max_size=64))
def test_variable_round_trip(guid, name, value):
    try:
        name.encode("utf-16-le")
    except UnicodeEncodeError:
        return
    data = UefiVariable(guid, name, value).encode()
    assert parse_variable(data) == UefiVariable(guid, name, value)
    with pytest.raises(MalformedError):
        parse_variable(data + b"\x00")
