# SPDX-License-Identifier: AGPL-3.0-or-later
"""TCG measured-boot event logs: parse, replay, and say only what a register vouches for.

::

    register_0 = 0 ... 0                       (0xff ... for PCRs 17 to 22)
    register_i+1 = H( register_i || digest_i ) for every event that is not EV_NO_ACTION

A quote vouches for register values, so for the digests in their order and for nothing else: neither an
event's type nor its data. Data counts only where its hash is the event's digest, in a register that
replays to the quoted value; types are names for people and decide nothing.

=============  ==========================================================================
`parser`       crypto-agile logs (Spec ID Event03), SHA-1 logs of TPM 1.2 style, CCEL areas
`events`       the parsed log, its canonical bytes, event type names
`replay`       register values of one bank
`summary`      what covered registers say: events, Secure Boot
`variables`    UEFI_VARIABLE_DATA
=============  ==========================================================================

Does not judge reference values. IMA lists: `attestation.ima`. Importable by anyone: standard library only.
"""

from attestation.eventlog.events import Event, EventLog, SpecId
from attestation.eventlog.parser import MAX_EVENTS, MAX_LOG, parse_event_log
from attestation.eventlog.replay import replay
from attestation.eventlog.summary import Coverage, cover, secure_boot, summarise

__all__ = [
    "MAX_EVENTS",
    "MAX_LOG",
    "Coverage",
    "Event",
    "EventLog",
    "SpecId",
    "cover",
    "parse_event_log",
    "replay",
    "secure_boot",
    "summarise",
]
