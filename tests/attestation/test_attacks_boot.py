# SPDX-License-Identifier: AGPL-3.0-or-later
"""Attacks on the measured state: reference values, edited logs, listings with two spellings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from attestation.errors import MalformedError
from attestation.eventlog import parse_event_log
from attestation.eventlog.events import EV_NO_ACTION, EventLog
from attestation.tpm2.pcrs import encode_pcrs
from tests.attestation.paper import (
    PaperTpm,
    boot,
    booted_pcrs,
    codes,
    judge,
)

ID = "evidence.tpm2"


def test_reference_values():
    values = booted_pcrs()
    right = {("sha256", 13): frozenset({bytes(32), values["sha256", 13]})}
    assert judge(PaperTpm().members(), reference_pcrs=right).passed
    wrong = judge(PaperTpm().members(), reference_pcrs={("sha256", 13): frozenset({bytes(32)})})
    assert codes(wrong) == {f"{ID}.pcr-reference": f"{ID}.pcr-value-unexpected"}
    absent = judge(PaperTpm().members(), reference_pcrs={("sha384", 13): frozenset({bytes(48)})})
    assert codes(absent) == {f"{ID}.pcr-reference": f"{ID}.pcr-unquoted"}


def test_required_pcrs_must_be_quoted_in_a_strong_bank():
    weak = {**booted_pcrs("sha1", range(8)), **booted_pcrs("sha256", range(7))}
    appraisal = judge(PaperTpm(pcrs=weak).members())
    assert codes(appraisal) == {f"{ID}.pcr-required": f"{ID}.pcr-unquoted"}


def _edited(edit):
    log = boot()
    return EventLog(log.spec, log.header, edit(log.events)).encode()


LOG_EDITS = {
    "event dropped": lambda events: events[:3] + events[4:],
    "events swapped": lambda events: (*events[:2], events[3], events[2], *events[4:]),
    "event repeated": lambda events: (*events, events[-4]),
    "digest edited": lambda events: (
        *events[:5],
        replace(events[5], digests={**events[5].digests, "sha256": bytes(32)}),
        *events[6:],
    ),
    "digest of the quoted bank dropped": lambda events: (
        *events[:5],
        replace(events[5], digests={"sha1": bytes(20)}),
        *events[6:],
    ),
    "all events of a PCR dropped": lambda events: tuple(e for e in events if e.register != 7),
    "event moved to another PCR": lambda events: (*events[:5], replace(events[5], register=6), *events[6:]),
    "event made unmeasured": lambda events: (*events[:5], replace(events[5], type=EV_NO_ACTION), *events[6:]),
    "startup locality edited": lambda events: (
        replace(events[0], data=events[0].data[:-1] + b"\x03"),
        *events[1:],
    ),
}


@pytest.mark.parametrize("name", LOG_EDITS)
def test_edited_event_log_is_refused(name):
    appraisal = judge(PaperTpm(event_log=_edited(LOG_EDITS[name])).members())
    assert codes(appraisal) == {f"{ID}.event-log": f"{ID}.event-log-mismatch"}
    assert "boot_events" not in appraisal.claims


def test_edited_event_data_supports_no_claim():
    """Data is not what a PCR vouches for: the log replays, but edited text and variables are not believed."""

    def edit(events):
        return tuple(
            replace(event, data=event.data.replace(b"S\x00e\x00c\x00u\x00r\x00e", b"s\x00e\x00c\x00u\x00r\x00e"))
            if event.register == 7
            else replace(event, data=b"something else")
            for event in events
            if event.type != EV_NO_ACTION
        )

    appraisal = judge(PaperTpm(event_log=_edited(edit)).members())
    assert appraisal.passed
    assert judge(PaperTpm().members()).claims["secure_boot"] is False
    assert appraisal.claims["secure_boot"] is None
    texts = [event.get("text") for event in appraisal.claims["boot_events"]]
    assert "something else" not in texts


def test_relabelled_events_decide_nothing():
    def edit(events):
        return tuple(replace(e, type=0x80000001) if e.type != EV_NO_ACTION else e for e in events)

    plain, relabelled = judge(PaperTpm().members()), judge(PaperTpm(event_log=_edited(edit)).members())
    assert relabelled.passed
    assert plain.claims["secure_boot"] == relabelled.claims["secure_boot"]


def test_runtime_pcrs_may_go_on_after_the_log_and_then_support_no_claim():
    later = {**booted_pcrs(), ("sha256", 13): bytes(31) + b"\x01"}
    appraisal = judge(PaperTpm(pcrs=later).members())
    assert appraisal.passed
    assert appraisal.claims["event_log_uncovered"] == [13]
    assert all(event["register"] != 13 for event in appraisal.claims["boot_events"])
    strict = judge(PaperTpm(pcrs=later).members(), runtime_pcrs=frozenset())
    assert codes(strict) == {f"{ID}.event-log": f"{ID}.event-log-mismatch"}


def test_event_log_may_be_demanded():
    members = PaperTpm(event_log=None).members()
    assert codes(judge(members)) == {f"{ID}.event-log": f"{ID}.event-log-missing"}
    assert judge(members, require_event_log=False).passed


def test_log_without_the_quoted_bank():
    log = parse_event_log(boot().encode())
    only_sha1 = EventLog(
        None, None, tuple(replace(e, digests={"sha1": e.digests["sha1"]}) for e in log.events)
    ).encode()
    appraisal = judge(PaperTpm(event_log=only_sha1).members())
    assert codes(appraisal) == {f"{ID}.event-log": f"{ID}.event-log-bank-absent"}


def test_pcr_listing_has_one_spelling():
    members = PaperTpm().members()
    text = members["pcrs"].decode()
    lines = text.splitlines(keepends=True)
    for other in (
        text.upper(),
        text.replace("sha256 1 ", "sha256 01 "),
        text.replace(" ", "  ", 1),
        text + lines[0],
        text + "\n",
        "".join(reversed(lines)),
        text.rstrip("\n"),
        text.replace("\n", "\r\n"),
        text.replace("sha256 1 ", "sha256 +1 "),
    ):
        with pytest.raises(MalformedError) as caught:
            judge({**members, "pcrs": other.encode()})
        assert caught.value.code == "evidence.tpm2.pcrs-malformed"
    assert encode_pcrs(booted_pcrs()) == members["pcrs"]
