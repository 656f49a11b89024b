# SPDX-License-Identifier: AGPL-3.0-or-later
"""The IMA list against the quoted PCR 10: what the kernel measured after the firmware's log ends."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Any

from attestation.contract import Check
from attestation.ima import Entry, ImaList, boot_aggregates, covered_prefix
from attestation.ima.entries import BOOT_AGGREGATE
from attestation.ima.replay import DEFAULT_REGISTER, padded_prefix
from attestation.tpm2.attest import QuoteInfo
from attestation.tpm2.pcrs import BANK_ORDER, Pcrs
from attestation.tpm2.trust import Tpm2Trust

CHECK = "evidence.tpm2.ima"
MAX_LISTED = 64
_REQUIRED = "a prefix that replays to the quoted PCR 10"


def check_ima(
    measured: ImaList | None, quote: QuoteInfo, values: Pcrs, trust: Tpm2Trust
) -> tuple[list[Check], dict[str, Any]]:
    """Check lines, and the claims that the covered prefix supports; `values` are those behind the quoted digest."""
    demanded = trust.require_ima or bool(trust.ima_digests)
    if measured is None:
        return [Check(CHECK, "SKIP", "no IMA list", _REQUIRED, f"{CHECK}-missing", demanded=demanded)], {}
    quoted = _quoted(quote, values, trust)
    if not quoted:
        observed = "PCR 10 is not quoted in an accepted bank"
        return [Check(CHECK, "SKIP", observed, _REQUIRED, f"{CHECK}-unquoted", demanded=demanded)], {}
    lengths = {bank: covered_prefix(measured, bank, value) for bank, value in quoted.items()}
    length = next(iter(lengths.values()))
    if not length or set(lengths.values()) != {length}:
        if all(padded_prefix(measured, bank, value) for bank, value in quoted.items()):
            observed = "a kernel before 5.8, which extended PCR 10 with SHA-1 digests alone"
            return [Check(CHECK, "SKIP", observed, _REQUIRED, f"{CHECK}-sha1-only", demanded=demanded)], {}
        observed = f"no prefix of {len(measured.entries)} entries does, in {', '.join(quoted)}"
        return [Check(CHECK, "FAIL", observed, _REQUIRED, f"{CHECK}-mismatch")], {}
    if measured.inconsistent is not None and measured.inconsistent < length:
        observed = f"entry {measured.inconsistent + 1} does not hash to its own template hash"
        return [Check(CHECK, "FAIL", observed, _REQUIRED, "evidence.ima.template-hash-mismatch")], {}
    covered = [entry for entry in measured.entries[:length] if entry.register == DEFAULT_REGISTER]
    behind = len(measured.entries) - length
    observed = f"{len(covered)} entries replay in {', '.join(quoted)}; {behind} behind them were measured later"
    allowed, unexpected = _check_allowed(covered, trust)
    claims: dict[str, Any] = {
        "ima_entries": len(covered),
        "ima_entries_behind": behind,
        "ima_violations": sum(entry.violation for entry in covered),
    }
    if unexpected is not None:
        claims["unexpected_components"] = unexpected
    return [Check(CHECK, "PASS", observed, _REQUIRED), _check_aggregate(covered[0], values), allowed], claims


def check_offered_lists(
    lists: Sequence[ImaList], quote: QuoteInfo, values: Pcrs, trust: Tpm2Trust
) -> tuple[list[Check], dict[str, Any]]:
    """As `check_ima`, of lists that are only offered: the first that replays to PCR 10 is this machine's.

    What PCR 10 does not cover is another machine's, or was altered: left aside, and the line says so (SKIP).
    """
    for measured in lists:
        lines, claims = check_ima(measured, quote, values, trust)
        if lines[0].outcome == "PASS":
            return lines, claims
    if not lists:
        return check_ima(None, quote, values, trust)
    demanded = trust.require_ima or bool(trust.ima_digests)
    observed = f"{len(lists)} among the collateral, of other machines or boots: left aside"
    return [Check(CHECK, "SKIP", observed, _REQUIRED, f"{CHECK}-foreign", demanded=demanded)], {}


def _quoted(quote: QuoteInfo, values: Pcrs, trust: Tpm2Trust) -> dict[str, bytes]:
    wanted = {(bank, DEFAULT_REGISTER) for bank in trust.banks} & set(quote.selected()) & values.keys()
    return {bank: values[bank, DEFAULT_REGISTER] for bank in BANK_ORDER if (bank, DEFAULT_REGISTER) in wanted}


def _check_aggregate(first: Entry, values: Pcrs) -> Check:
    """Does the list start from this very boot? It does where its first entry is the digest of the quoted PCRs."""
    check, required = f"{CHECK}-boot-aggregate", "the digest of PCRs 0 to 9 (or 0 to 7) as quoted"
    if first.name != BOOT_AGGREGATE or first.violation:
        return Check(check, "FAIL", "the list does not start with a boot aggregate", required, f"{check}-mismatch")
    registers = {index: value for (bank, index), value in values.items() if bank == first.algorithm}
    expected = boot_aggregates(first.algorithm, registers) if first.algorithm in BANK_ORDER else ()
    observed = f"{first.algorithm}:{first.digest.hex()}"
    if not expected:
        observed += f", and the {first.algorithm} PCRs are not all quoted"
        return Check(check, "SKIP", observed, required, f"{check}-unknown", demanded=False)
    if not any(hmac.compare_digest(first.digest, value) for value in expected):
        return Check(check, "FAIL", observed, f"{required}: {expected[0].hex()}", f"{check}-mismatch")
    return Check(check, "PASS", observed, required)


def _check_allowed(covered: Sequence[Entry], trust: Tpm2Trust) -> tuple[Check, list[str] | None]:
    """The line on reference values, and what none of them explains; None where there are none."""
    check, required = f"{CHECK}-reference", f"one of {len(trust.ima_digests)} allowed digests for each entry"
    if not trust.ima_digests:
        observed = f"{len(covered)} entries"
        code = f"{CHECK}-no-reference"
        return Check(check, "SKIP", observed, "no reference values given", code, demanded=False), None
    violations = [entry for entry in covered if entry.violation]
    unexpected = [
        entry
        for index, entry in enumerate(covered)
        if not entry.violation
        and index > 0  # the boot aggregate has its own line
        and (entry.digest not in trust.ima_digests or not entry.binds_buffer())
    ]
    listed = [f"{entry.algorithm}:{entry.digest.hex()} {entry.name[:120]}" for entry in unexpected[:MAX_LISTED]]
    if unexpected:
        observed = f"{len(unexpected)} others, first {listed[0]}"
        return Check(check, "FAIL", observed, required, f"{CHECK}-unexpected"), listed
    if violations:
        observed = f"{len(violations)} files that could change while they were measured"
        return Check(check, "FAIL", observed, required, f"{CHECK}-violation"), listed
    return Check(check, "PASS", f"{len(covered) - 1} entries as allowed", required), listed
