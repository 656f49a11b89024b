# SPDX-License-Identifier: AGPL-3.0-or-later
"""The event log and the IMA list of one piece of evidence: its own members, or what fits best of the collateral."""

from __future__ import annotations

import re
from collections.abc import Mapping

from attestation.collateral.bag import Collateral
from attestation.errors import EvidenceError
from attestation.eventlog import EventLog, cover, parse_event_log
from attestation.eventlog.events import EV_NO_ACTION, SPEC_ID_03
from attestation.ima import ImaList, covered_prefix, parse_ima_list
from attestation.ima.replay import DEFAULT_REGISTER
from attestation.tpm2.pcrs import BANK_ORDER, Pcrs

MAX_CANDIDATES = 8
"""Files of collateral that are tried as a log: each costs a replay."""

_HEADER = EV_NO_ACTION.to_bytes(4, "little") + bytes(20)
_IMA = re.compile(rb"[ 1-3][0-9] [0-9a-f]{40} ima")
_BINARY_IMA = re.compile(rb".{3}\0.{20}.\0{3}ima", re.DOTALL)


def find_event_log(members: Mapping[str, bytes], collateral: Collateral, values: Pcrs) -> EventLog | None:
    """The member `event_log`; without one, the crypto-agile log of the collateral that explains most PCRs.

    Raises `MalformedError` and `UnsupportedError` for the member alone.
    """
    if "event_log" in members:
        return parse_event_log(members["event_log"])
    best: tuple[int, EventLog] | None = None
    logs = [data for data in collateral.of("binary") if data[4:28] == _HEADER and data[32:48] == SPEC_ID_03]
    for data in logs[:MAX_CANDIDATES]:
        try:
            log = parse_event_log(data, padded=True)
            explained = sum(
                len(cover(log, bank, _bank(values, bank)).covered)
                for bank in set(log.algorithms) & {bank for bank, _ in values}
            )
        except EvidenceError:
            continue
        if explained and (best is None or explained > best[0]):
            best = explained, log
    return best[1] if best else None


def find_ima_list(members: Mapping[str, bytes], collateral: Collateral, values: Pcrs) -> ImaList | None:
    """The member `ima_log`; without one, the first list of the collateral of which a prefix gives PCR 10.

    Raises `MalformedError` and `UnsupportedError` for the member alone.
    """
    if "ima_log" in members:
        return parse_ima_list(members["ima_log"])
    banks = [bank for bank in BANK_ORDER[1:] if (bank, DEFAULT_REGISTER) in values]
    lists = [data for data in collateral.of("binary") if _IMA.match(data) or _BINARY_IMA.match(data)]
    for data in lists[:MAX_CANDIDATES]:
        try:
            measured = parse_ima_list(data)
        except EvidenceError:
            continue
        if any(covered_prefix(measured, bank, values[bank, DEFAULT_REGISTER]) for bank in banks):
            return measured
    return None


def _bank(values: Pcrs, bank: str) -> dict[int, bytes]:
    return {index: value for (b, index), value in values.items() if b == bank}
