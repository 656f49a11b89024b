# SPDX-License-Identifier: AGPL-3.0-or-later
"""The event log against the RTMRs that the quote vouches for.

The log is a crypto-agile TCG log with SHA-384 digests; its register field is an MR index: 0 is MRTD, 1 to 4 are RTMR0
to RTMR3 (UEFI 2.10, 38.4.1, TDX mapping). What replays to the quoted value is covered; an event's data counts only
where its digest is its hash.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attestation.collateral.bag import Collateral
from attestation.contract import Check
from attestation.errors import EvidenceError
from attestation.eventlog import EventLog, cover, parse_event_log, secure_boot, summarise
from attestation.eventlog.events import EV_NO_ACTION, SPEC_ID_03
from attestation.eventlog.summary import Coverage
from attestation.tdx.report import TdReport
from attestation.tdx.trust import TdxTrust

ID = "evidence.tdx"
BANK = "sha384"
FIRST_RTMR = 1
RUNTIME_EVENT = 0x08000001
"""dstack's type for events that its guest software extends into RTMR3."""
MAX_RUNTIME_EVENTS = 128
MAX_OFFERED = 8
"""Files of collateral that are tried as a log: each costs a replay."""
_REQUIRED = "a log that replays to the quoted RTMRs"
_HEADER = EV_NO_ACTION.to_bytes(4, "little") + bytes(20)
"""Type and SHA-1 digest of a crypto-agile log's first event, behind a register that means nothing."""


def check_offered_logs(collateral: Collateral, report: TdReport, trust: TdxTrust) -> tuple[Check, dict[str, Any]]:
    """The line on event logs among the collateral: of those that contradict no RTMR the one that explains most.

    A log there is offered, not claimed: it may be another machine's. One that does not fit is left aside, and the line
    says so (`event-log-foreign`, SKIP); what does not parse is no log.
    """
    offered, best = 0, None
    for data in collateral.of("binary"):
        if data[4:28] != _HEADER or data[32:48] != SPEC_ID_03 or offered == MAX_OFFERED:
            continue
        try:
            log = parse_event_log(data, padded=True)
        except EvidenceError:
            continue
        offered += 1
        line, claims = check_event_log(log, report, trust)
        extended = {event.register - FIRST_RTMR for event in log.events}
        explained = len(extended.intersection(claims.get("event_log_covered", ())))
        if line.outcome == "PASS" and explained and (best is None or explained > best[0]):
            best = explained, line, claims
    if best is not None:
        return best[1], best[2]
    if not offered:
        return check_event_log(None, report, trust)
    observed = f"{offered} among the collateral, of other machines or boots: left aside"
    return Check(
        f"{ID}.event-log", "SKIP", observed, _REQUIRED, f"{ID}.event-log-foreign", demanded=trust.require_event_log
    ), {}


def check_event_log(log: EventLog | None, report: TdReport, trust: TdxTrust) -> tuple[Check, dict[str, Any]]:
    """The line on the log, and claims from the RTMRs that it covers."""
    check = f"{ID}.event-log"
    required = _REQUIRED
    if log is None:
        return Check(
            check, "SKIP", "no event log", required, f"{ID}.event-log-missing", demanded=trust.require_event_log
        ), {}
    try:
        coverage = cover(log, BANK, _quoted(report))
    except EvidenceError as error:
        return Check(check, "FAIL", error.message, required, f"{ID}.event-log-bank-absent"), {}
    contradicted = _indices(coverage.mismatched | coverage.unlogged) - trust.runtime_rtmrs
    covered = _indices(coverage.covered)
    observed = f"RTMRs {_listed(covered)} replay" + (f", {_listed(contradicted)} do not" if contradicted else "")
    holds = not contradicted
    return Check(
        check,
        "PASS" if holds else "FAIL",
        observed,
        required,
        "" if holds else f"{ID}.event-log-mismatch",
        category="executables",
    ), _claims(log, coverage)


def _claims(log: EventLog, coverage: Coverage) -> dict[str, Any]:
    return {
        "event_log_covered": sorted(_indices(coverage.covered)),
        "event_log_uncovered": sorted(_indices(coverage.mismatched | coverage.unlogged)),
        # The firmware maps PCRs 1 and 7 to RTMR0; Secure Boot's variables come before its first separator.
        "secure_boot": secure_boot(log, coverage, register=FIRST_RTMR),
        "boot_events": [{**event, "register": event["register"] - 1} for event in summarise(log, coverage)],
        "runtime_events": list(_runtime_events(log, coverage)),
    }


def _runtime_events(log: EventLog, coverage: Coverage) -> Iterable[dict[str, str]]:
    """Name and payload of dstack's events in a covered RTMR3, as far as the digests bind them."""
    head = RUNTIME_EVENT.to_bytes(4, "little") + b":"
    count = 0
    for event in log.events:
        if event.register != FIRST_RTMR + 3 or event.register not in coverage.covered or count == MAX_RUNTIME_EVENTS:
            continue
        name, colon, payload = event.data.removeprefix(head).partition(b":")
        if event.data.startswith(head) and colon and name.isascii() and event.binds_data(BANK):
            count += 1
            yield {"event": name.decode("ascii")[:64], "payload": payload[:256].hex()}


def _quoted(report: TdReport) -> dict[int, bytes]:
    return {FIRST_RTMR + index: report.registers[f"rtmr{index}"] for index in range(4)}


def _indices(registers: Iterable[int]) -> frozenset[int]:
    return frozenset(register - FIRST_RTMR for register in registers)


def _listed(indices: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(indices))) or "none"
