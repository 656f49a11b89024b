# SPDX-License-Identifier: AGPL-3.0-or-later
"""RTMRs replayed from CCELs and dstack's event logs."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from attestation import tdx
from attestation.collateral import sort_collateral
from attestation.ear.tiers import Tier
from attestation.errors import MalformedError, UnsupportedError
from attestation.eventlog import parse_event_log
from attestation.eventlog.events import EV_SEPARATOR, Event, EventLog, SpecId, digest
from attestation.eventlog.replay import replay
from attestation.tdx.dstack import event_log
from tests.attestation.intel.judging import codes, collateral, judge, vector
from tests.attestation.intel.making import Paper
from verifier.appraisal.trustworthiness import vector_of
from verifier.verdict import Verdict

AT = datetime(2026, 5, 20, tzinfo=UTC)
SPEC = SpecId(0, 0, 2, 0, 2, ("sha384",))


def log_of(*events):
    return EventLog(SPEC, SPEC.header(), events)


def event(rtmr, data, kind=EV_SEPARATOR):
    return Event(rtmr + 1, kind, {"sha384": digest("sha384", data)}, data)


GOOD = log_of(event(0, b"\0\0\0\0"), event(1, b"kernel"), event(2, b"command line"), event(1, b"more"))


def paper_for(log, **changes):
    values = replay(log, "sha384")
    return Paper(body={"rtmrs": tuple(values.get(index, bytes(48)) for index in range(1, 5)), **changes})


def test_log_that_explains_the_quote():
    pytest.importorskip("dcap_qvl")
    appraisal = judge(paper_for(GOOD), event_log=GOOD.encode(), require_event_log=True)
    assert appraisal.passed
    assert appraisal.claims["event_log_covered"] == [0, 1, 2, 3]
    assert [item.get("text") for item in appraisal.claims["boot_events"]] == [None, "kernel", "command line", "more"]
    assert [item["register"] for item in appraisal.claims["boot_events"]] == [0, 1, 2, 1]


def test_a_log_alone_affirms_no_software():
    """That a log replays says what ran, not that it should have: that takes reference values."""
    pytest.importorskip("dcap_qvl")
    known = {"mr_td": frozenset({b"\x62" * 48})}
    for reference, claim in (({}, None), (known, Tier.AFFIRMING)):
        appraisal = judge(paper_for(GOOD), event_log=GOOD.encode(), reference=reference)
        assert appraisal.passed and vector_of(appraisal.checks, Verdict.ACCEPT).get("executables") is claim


@pytest.mark.parametrize("padding", [b"\0" * 500, b"\xff" * 500])
def test_log_in_its_area(padding):
    assert codes(judge(paper_for(GOOD), event_log=GOOD.encode() + padding)) == {}


@pytest.mark.parametrize(
    "other",
    [
        log_of(*GOOD.events[1:]),
        log_of(*GOOD.events[:-1]),
        log_of(*GOOD.events, event(0, b"more")),
        log_of(GOOD.events[0], GOOD.events[3], GOOD.events[2], GOOD.events[1]),
        log_of(event(0, b"\1\0\0\0"), *GOOD.events[1:]),
    ],
    ids=["one less", "cut", "one more", "reordered", "other digest"],
)
def test_log_that_does_not(other):
    appraisal = judge(paper_for(GOOD), event_log=other.encode())
    assert codes(appraisal) == {"event-log": "event-log-mismatch"}


def test_rtmr_that_the_guest_goes_on_extending():
    longer = log_of(*GOOD.events, event(3, b"an application"))
    appraisal = judge(paper_for(longer), event_log=GOOD.encode())
    assert codes(appraisal) == {} and appraisal.claims["event_log_uncovered"] == [3]
    strict = judge(paper_for(longer), event_log=GOOD.encode(), runtime_rtmrs=frozenset())
    assert codes(strict) == {"event-log": "event-log-mismatch"}


def test_no_log():
    assert codes(judge(Paper(), require_event_log=True)) == {"event-log": "event-log-missing"}


def test_log_without_sha384():
    spec = SpecId(0, 0, 2, 0, 2, ("sha256",))
    log = EventLog(spec, spec.header(), (Event(1, EV_SEPARATOR, {"sha256": bytes(32)}, b""),))
    assert codes(judge(Paper(), event_log=log.encode())) == {"event-log": "event-log-bank-absent"}


def test_log_among_collateral():
    """The best of several; one that explains nothing, or is not one, is left alone."""
    paper = paper_for(GOOD)
    junk = [log_of(event(0, b"other")).encode(), GOOD.encode()[:80], b"\0" * 40]
    files = sort_collateral([*junk, GOOD.encode() + bytes(64), *paper.files().values()])
    appraisal = judge(paper, collateral=files)
    assert appraisal.claims["event_log_covered"] == [0, 1, 2, 3] and codes(appraisal) == {}


def test_a_strangers_log_among_collateral_is_left_aside():
    """Offered, not claimed: it says nothing against this TD. As a member of the evidence it does."""
    paper = paper_for(GOOD)
    partly = log_of(*GOOD.events[:2])  # explains RTMR0 and contradicts RTMR1 and 2
    for stranger in (log_of(event(0, b"other")), partly, log_of(event(3, b"runtime alone"))):
        files = sort_collateral([stranger.encode(), *paper.files().values()])
        found = judge(paper, collateral=files)
        line = next(check for check in found.checks if check.id == "evidence.tdx.event-log")
        assert (line.outcome, line.code, line.demanded) == ("SKIP", "evidence.tdx.event-log-foreign", False)
        assert "boot_events" not in found.claims and codes(found) == {}
        assert codes(judge(paper, collateral=files, require_event_log=True)) == {"event-log": "event-log-foreign"}
        both = sort_collateral([stranger.encode(), GOOD.encode(), *paper.files().values()])
        assert judge(paper, collateral=both).claims["event_log_covered"] == [0, 1, 2, 3]
        member = judge(paper, event_log=stranger.encode(), collateral=files)
        assert codes(member) == {"event-log": "event-log-mismatch"}


def appraise(name, **trust):
    files = collateral("tdx/google/ccel/ccel_data.dat")
    return tdx.appraise(tdx.read(vector(name)), challenge=None, at=AT, trust=tdx.TdxTrust(**trust), collateral=files)


@pytest.mark.parametrize(
    ("name", "events", "payload"),
    [
        ("quote-report", 8, "3763bc34552cf3a27ff71ad5f7a90471562a1a2df552dfc1998cba2d60da27e7"),
        ("tdx-lite-getquote", 9, "86b0e55f2fa8e4fb69d890f14f54d5612707646e2573d54e0d2ddaaade77caa9"),
    ],
)
def test_dstack(name, events, payload):
    """The stripped log leaves dstack's own digests out; they follow from name and payload."""
    appraisal = appraise(f"tdx/dstack/{name}.json")
    assert appraisal.claims["event_log_covered"] == [0, 1, 2, 3]
    runtime = appraisal.claims["runtime_events"]
    assert len(runtime) == events and {"event": "compose-hash", "payload": payload} in runtime


def test_lie_in_a_dstack_log():
    found = json.loads(vector("tdx/dstack/quote-report.json"))
    entries = json.loads(found["event_log"])
    for change in ({"event_payload": "00"}, {"event": "app-id2"}):
        spoiled = [{**entry, **change} if entry["event"] == "compose-hash" else entry for entry in entries]
        members = tdx.read(json.dumps({**found, "event_log": spoiled}).encode())
        appraisal = tdx.appraise(members, challenge=None, at=AT, trust=tdx.TdxTrust())
        names = [item["event"] for item in appraisal.claims["runtime_events"]]
        assert "compose-hash" not in names and "app-id2" not in names  # its digest does not bind it
    moved = [{**entry, "digest": "11" * 48} if entry["event"] == "compose-hash" else entry for entry in entries]
    members = tdx.read(json.dumps({**found, "event_log": moved}).encode())
    appraisal = tdx.appraise(members, challenge=None, at=AT, trust=tdx.TdxTrust(runtime_rtmrs=frozenset()))
    assert codes(appraisal)["event-log"] == "event-log-mismatch"


ENTRY = {"imr": 0, "event_type": 4, "digest": "00" * 48, "event": "", "event_payload": ""}


@pytest.mark.parametrize(
    "entries",
    [
        {}, [1], [[]], [{**ENTRY, "x": 1}], [{**ENTRY, "imr": 4}], [{**ENTRY, "imr": True}], [{**ENTRY, "imr": "0"}],
        [{**ENTRY, "event_type": -1}], [{**ENTRY, "event_type": 1 << 32}], [{**ENTRY, "digest": ""}],
        [{**ENTRY, "digest": "00"}], [{**ENTRY, "digest": None}], [{**ENTRY, "event_payload": "0"}],
        [{**ENTRY, "event": 5}], [{**ENTRY, "event": "\u00e9"}], [ENTRY] * 1025,
    ],
)  # fmt: skip
def test_malformed_dstack_logs(entries):
    with pytest.raises(MalformedError) as caught:
        event_log(entries)
    assert caught.value.code == "evidence.tdx.raw-malformed"
    assert parse_event_log(event_log([ENTRY])).events[0].register == 1


def test_every_bit_of_a_log():
    """Flips in what no register binds leave the appraisal alone or malformed; they never bring a claim about."""
    log, paper = GOOD.encode(), paper_for(GOOD)
    quote, files = paper.quote(), paper.collateral()
    told = judge(paper, quote, event_log=log, collateral=files).claims
    for bit in range(0, len(log) * 8, 3):
        flipped = bytearray(log)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            appraisal = judge(paper, quote, event_log=bytes(flipped), collateral=files)
        except (MalformedError, UnsupportedError):
            continue
        if not appraisal.failed:
            texts = [item.get("text") for item in appraisal.claims["boot_events"]]
            assert all(
                text in (None, before.get("text")) for text, before in zip(texts, told["boot_events"], strict=True)
            )
