# SPDX-License-Identifier: AGPL-3.0-or-later
"""Event logs and IMA lists among the collateral: offered, not claimed, so that they may be other machines'."""

from __future__ import annotations

import re

from attestation.collateral.bag import Collateral
from attestation.errors import EvidenceError
from attestation.eventlog import EventLog, parse_event_log
from attestation.eventlog.events import EV_NO_ACTION, SPEC_ID_03
from attestation.ima import ImaList, parse_ima_list

MAX_CANDIDATES = 8
"""Files of collateral that are tried as a log: each costs a replay."""

_HEADER = EV_NO_ACTION.to_bytes(4, "little") + bytes(20)
_IMA = re.compile(rb"[ 1-3][0-9] [0-9a-f]{40} ima")
_BINARY_IMA = re.compile(rb".{3}\0.{20}.\0{3}ima", re.DOTALL)


def offered_event_logs(collateral: Collateral) -> list[EventLog]:
    """Crypto-agile logs among the collateral; what does not parse is none."""
    found = []
    logs = [data for data in collateral.of("binary") if data[4:28] == _HEADER and data[32:48] == SPEC_ID_03]
    for data in logs[:MAX_CANDIDATES]:
        try:
            found.append(parse_event_log(data, padded=True))
        except EvidenceError:
            continue
    return found


def offered_ima_lists(collateral: Collateral) -> list[ImaList]:
    """IMA lists among the collateral; what does not parse is none."""
    found = []
    lists = [data for data in collateral.of("binary") if _IMA.match(data) or _BINARY_IMA.match(data)]
    for data in lists[:MAX_CANDIDATES]:
        try:
            found.append(parse_ima_list(data))
        except EvidenceError:
            continue
    return found
