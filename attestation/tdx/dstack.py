# SPDX-License-Identifier: AGPL-3.0-or-later
"""dstack's event log (JSON, or in its envelope) as the crypto-agile log that it stands for.

::

    {"imr": 0..3, "event_type": u32, "digest": hex or "", "event": name, "event_payload": hex}

dstack's own events (type 0x08000001) have the digest SHA-384(type, little-endian || ":" || name || ":" || payload);
that string becomes the event's data, so that the digest binds it, and gives the digest where a stripped log leaves it
out. Any other event keeps digest and payload. The `imr` is an RTMR's index: the MR index less one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attestation.armour import decode_hex
from attestation.dstack import MAX_EVENTS, TdxEvent
from attestation.errors import MalformedError
from attestation.eventlog.events import Event, EventLog, SpecId, digest
from attestation.tdx.rtmr import BANK, FIRST_RTMR, RUNTIME_EVENT

CODE = "evidence.tdx.raw-malformed"
_KEYS = {"imr", "event_type", "digest", "event", "event_payload"}


def event_log(entries: Any) -> bytes:
    """The log's bytes. Raises `MalformedError` (`evidence.tdx.raw-malformed`)."""
    if not isinstance(entries, list) or len(entries) > MAX_EVENTS:
        raise MalformedError(CODE, f"a dstack event log is a list of at most {MAX_EVENTS} events")
    return encoded([_entry(entry) for entry in entries])


def encoded(events: Sequence[TdxEvent]) -> bytes:
    """The log's bytes. Raises `MalformedError` (`evidence.tdx.raw-malformed`)."""
    spec = SpecId(0, 0, 2, 0, 2, (BANK,))
    return EventLog(spec, spec.header(), tuple(map(_event, events))).encode()


def _entry(entry: Any) -> TdxEvent:
    if not isinstance(entry, dict) or set(entry) != _KEYS:
        raise MalformedError(CODE, f"a dstack event has the keys {', '.join(sorted(_KEYS))}")
    imr, kind, name = entry["imr"], entry["event_type"], entry["event"]
    if type(imr) is not int or type(kind) is not int or not 0 <= kind <= 0xFFFFFFFF or not isinstance(name, str):
        raise MalformedError(CODE, "a dstack event without a register, a 32-bit type or a name")
    try:
        return TdxEvent(imr, kind, decode_hex(entry["digest"]), name, decode_hex(entry["event_payload"]))
    except (AttributeError, TypeError, ValueError):
        raise MalformedError(CODE, "a dstack event whose payload or digest is not hex") from None


def _event(event: TdxEvent) -> Event:
    payload, value = event.payload, event.digest
    if not 0 <= event.imr <= 3 or not event.name.isascii():
        raise MalformedError(CODE, "a dstack event with a register beyond 3, or a name that is not ASCII")
    if event.type == RUNTIME_EVENT:
        payload = event.type.to_bytes(4, "little") + b":" + event.name.encode("ascii") + b":" + payload
        value = value or digest(BANK, payload)
    if len(value) != 48:
        raise MalformedError(CODE, f"a dstack event with a digest of {len(value)} bytes; 48")
    return Event(event.imr + FIRST_RTMR, event.type, {BANK: value}, payload)
