# SPDX-License-Identifier: AGPL-3.0-or-later
"""dstack's event log (JSON) as the crypto-agile log that it stands for.

::

    {"imr": 0..3, "event_type": u32, "digest": hex or "", "event": name, "event_payload": hex}

dstack's own events (type 0x08000001) have the digest SHA-384(type, little-endian || ":" || name || ":" || payload);
that string becomes the event's data, so that the digest binds it, and gives the digest where a stripped log leaves it
out. Any other event keeps digest and payload. The `imr` is an RTMR's index: the MR index less one.
"""

from __future__ import annotations

from typing import Any

from attestation.armour import decode_hex
from attestation.errors import MalformedError
from attestation.eventlog.events import Event, EventLog, SpecId, digest
from attestation.tdx.rtmr import BANK, FIRST_RTMR, RUNTIME_EVENT

CODE = "evidence.tdx.raw-malformed"
MAX_EVENTS = 1024
_KEYS = {"imr", "event_type", "digest", "event", "event_payload"}


def event_log(entries: Any) -> bytes:
    """The log's bytes. Raises `MalformedError` (`evidence.tdx.raw-malformed`)."""
    if not isinstance(entries, list) or len(entries) > MAX_EVENTS:
        raise MalformedError(CODE, f"a dstack event log is a list of at most {MAX_EVENTS} events")
    spec = SpecId(0, 0, 2, 0, 2, (BANK,))
    return EventLog(spec, spec.header(), tuple(_event(entry) for entry in entries)).encode()


def _event(entry: Any) -> Event:
    if not isinstance(entry, dict) or set(entry) != _KEYS:
        raise MalformedError(CODE, f"a dstack event has the keys {', '.join(sorted(_KEYS))}")
    imr, kind, name = entry["imr"], entry["event_type"], entry["event"]
    if type(imr) is not int or not 0 <= imr <= 3 or type(kind) is not int or not 0 <= kind <= 0xFFFFFFFF:
        raise MalformedError(CODE, "a dstack event with a register beyond 3, or no 32-bit type")
    try:
        payload, value = decode_hex(entry["event_payload"]), decode_hex(entry["digest"])
        text = name.encode("ascii")
    except (AttributeError, TypeError, ValueError):
        raise MalformedError(CODE, "a dstack event whose payload or digest is not hex, or name not ASCII") from None
    if kind == RUNTIME_EVENT:
        payload = kind.to_bytes(4, "little") + b":" + text + b":" + payload
        value = value or digest(BANK, payload)
    if len(value) != 48:
        raise MalformedError(CODE, f"a dstack event with a digest of {len(value)} bytes; 48")
    return Event(imr + FIRST_RTMR, kind, {BANK: value}, payload)
