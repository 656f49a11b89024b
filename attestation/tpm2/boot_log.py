# SPDX-License-Identifier: AGPL-3.0-or-later
"""The measured-boot log against the quoted PCRs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attestation.contract import Check
from attestation.eventlog import Coverage, EventLog, cover, secure_boot, summarise
from attestation.eventlog.events import HASHABLE
from attestation.tpm2.attest import QuoteInfo
from attestation.tpm2.pcrs import BANK_ORDER, Pcrs
from attestation.tpm2.registers import describe
from attestation.tpm2.trust import Tpm2Trust

CHECK = "evidence.tpm2.event-log"
_REQUIRED = "replays to every quoted PCR of the boot"


def check_boot_log(
    log: EventLog | None, quote: QuoteInfo, values: Pcrs, trust: Tpm2Trust
) -> tuple[Check, dict[str, Any]]:
    """One check line, and the claims that covered PCRs support.

    In a PCR outside `trust.runtime_pcrs`, a log that gives another value, or has no events for a value that
    is not the initial one, was edited. Elsewhere the PCR is merely uncovered: its events support no claim.
    """
    required = _REQUIRED
    demanded = trust.require_event_log
    if log is None:
        return Check(CHECK, "SKIP", "no event log", required, f"{CHECK}-missing", demanded=demanded), {}
    coverages = _coverages(log, quote, values, trust)
    if not coverages:
        observed = f"log of {', '.join(log.algorithms)}, quote of other or weak banks"
        return Check(CHECK, "SKIP", observed, required, f"{CHECK}-bank-absent", demanded=demanded), {}
    wrong = tuple(
        (coverage.algorithm, register)
        for coverage in coverages
        for register in sorted((coverage.mismatched | coverage.unlogged) - trust.runtime_pcrs)
    )
    covered = tuple((c.algorithm, register) for c in coverages for register in sorted(c.covered))
    if wrong:
        return Check(CHECK, "FAIL", f"does not replay to {describe(wrong)}", required, f"{CHECK}-mismatch"), {}
    uncovered = tuple((c.algorithm, register) for c in coverages for register in sorted(c.mismatched | c.unlogged))
    observed = f"{len(log.events)} events; replays to {describe(covered)}"
    if uncovered:
        observed += f"; {describe(uncovered)} went on after the log"
    return Check(CHECK, "PASS", observed, required), _claims(log, coverages[0])


def check_offered_logs(
    logs: Sequence[EventLog], quote: QuoteInfo, values: Pcrs, trust: Tpm2Trust
) -> tuple[Check, dict[str, Any]]:
    """As `check_boot_log`, of logs that are only offered: of those that contradict no PCR the one that explains most.

    One that does not fit is another machine's, or of another boot: it is left aside, and the line says so (SKIP).
    """
    best = None
    for log in logs:
        line, claims = check_boot_log(log, quote, values, trust)
        explained = len({event.register for event in log.events}.intersection(claims.get("event_log_covered", ())))
        if line.outcome == "PASS" and explained and (best is None or explained > best[0]):
            best = explained, line, claims
    if best is not None:
        return best[1], best[2]
    if not logs:
        return check_boot_log(None, quote, values, trust)
    observed = f"{len(logs)} among the collateral, of other machines or boots: left aside"
    return Check(CHECK, "SKIP", observed, _REQUIRED, f"{CHECK}-foreign", demanded=trust.require_event_log), {}


def _coverages(log: EventLog, quote: QuoteInfo, values: Pcrs, trust: Tpm2Trust) -> list[Coverage]:
    selected = quote.selected()
    coverages: list[Coverage] = []
    for bank in BANK_ORDER:
        quoted = {index: values[b, index] for b, index in selected if b == bank and (b, index) in values}
        if quoted and bank in trust.banks and bank in log.algorithms and bank in HASHABLE:
            coverages.append(cover(log, bank, quoted))
    return coverages


def _claims(log: EventLog, coverage: Coverage) -> dict[str, Any]:
    return {
        "event_log_covered": sorted(coverage.covered),
        "event_log_uncovered": sorted(coverage.mismatched | coverage.unlogged),
        "secure_boot": secure_boot(log, coverage),
        "boot_events": summarise(log, coverage),
    }
