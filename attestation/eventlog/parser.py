# SPDX-License-Identifier: AGPL-3.0-or-later
"""Event log bytes -> `EventLog`, total on hostile bytes.

Source: TCG PC Client Platform Firmware Profile 1.06, 10.2 (TCG_PCR_EVENT, TCG_PCR_EVENT2), 10.4.5.1
(Spec ID event).
"""

from __future__ import annotations

from attestation.errors import MalformedError, UnsupportedError
from attestation.eventlog.events import (
    ALGORITHM_NAMES,
    ALGORITHM_SIZES,
    EV_NO_ACTION,
    SPEC_ID_03,
    Event,
    EventLog,
    SpecId,
)
from attestation.wire import Reader

PREFIX = "evidence.eventlog.log"

MAX_LOG = 1 << 20
"""Bytes. Real logs stay below 128 KiB; a CCEL area is at most 1 MiB."""
MAX_EVENTS = 8192
MAX_ALGORITHMS = 8
MAX_REGISTER = 31
NO_REGISTER = 0xFFFFFFFF
"""The index that some firmware gives to events which extend nothing."""


def parse_event_log(data: bytes, *, padded: bool = False) -> EventLog:
    """Parse a crypto-agile or SHA-1 log; `padded` allows a tail of all 0x00 or all 0xff, as CCEL areas have.

    Raises `MalformedError` (`evidence.eventlog.log-truncated`, `-trailing`, `-malformed`, `-too-large`) and
    `UnsupportedError` (`evidence.eventlog.algorithm-unsupported`).
    """
    if len(data) > MAX_LOG:
        raise MalformedError(f"{PREFIX}-too-large", f"event log of {len(data)} bytes; at most {MAX_LOG}")
    reader = Reader(data, PREFIX, "little")
    first = _sha1_event(reader)
    if first.type == EV_NO_ACTION and first.data.startswith(SPEC_ID_03):
        spec = _spec_id(first.data)
        log = _events(reader, spec, first, [], padded)
    else:
        log = _events(reader, None, None, [first], padded)
    if log.encode() != data:
        reader.fail("not in canonical form")
    return log


def _events(reader: Reader, spec: SpecId | None, header: Event | None, events: list[Event], padded: bool) -> EventLog:
    padding = b""
    while reader.left:
        if padded and _is_padding(reader):
            padding = reader.rest()
            break
        if len(events) >= MAX_EVENTS:
            raise MalformedError(f"{PREFIX}-too-large", f"more than {MAX_EVENTS} events")
        events.append(_sha1_event(reader) if spec is None else _agile_event(reader, spec))
    return EventLog(spec, header, tuple(events), padding)


def _is_padding(reader: Reader) -> bool:
    head = reader.peek(12)
    # A cheap look first: the whole tail is compared only where hardly any record can start.
    if head not in (bytes(len(head)), b"\xff" * len(head)):
        return False
    return reader.peek(reader.left).count(head[:1]) == reader.left


def _register(reader: Reader) -> tuple[int, int]:
    register, kind = reader.integer(4, "register"), reader.integer(4, "event type")
    if register > MAX_REGISTER and not (register == NO_REGISTER and kind == EV_NO_ACTION):
        reader.fail(f"register {register}; at most {MAX_REGISTER}")
    return register, kind


def _sha1_event(reader: Reader) -> Event:
    register, kind = _register(reader)
    value = reader.take(20, "SHA-1 digest")
    data = reader.take(reader.integer(4, "event size"), "event data")
    return Event(register, kind, {"sha1": value}, data)


def _agile_event(reader: Reader, spec: SpecId) -> Event:
    register, kind = _register(reader)
    count = reader.integer(4, "number of digests")
    if count > len(spec.algorithms):
        reader.fail(f"{count} digests in an event; the header names {len(spec.algorithms)} algorithms")
    digests: dict[str, bytes] = {}
    for _ in range(count):
        identifier = reader.integer(2, "digest algorithm")
        name = ALGORITHM_NAMES.get(identifier, "")
        if name not in spec.algorithms or name in digests:
            reader.fail(f"digest algorithm 0x{identifier:04x} is repeated or not in the header")
        digests[name] = reader.take(ALGORITHM_SIZES[name], f"{name} digest")
    # An event has a digest per bank that was extended, which may be fewer than the header names: Windows goes on with
    # one bank where the firmware filled two. Replay of a bank takes the events that have its digest.
    if kind != EV_NO_ACTION and not digests:
        reader.fail("a measured event without digest")
    return Event(register, kind, digests, reader.take(reader.integer(4, "event size"), "event data"))


def _spec_id(data: bytes) -> SpecId:
    reader = Reader(data, PREFIX, "little")
    reader.take(len(SPEC_ID_03), "signature")
    platform = reader.integer(4, "platform class")
    minor, major, errata, uintn = reader.take(4, "version")
    count = reader.integer(4, "number of algorithms")
    if not 1 <= count <= MAX_ALGORITHMS:
        reader.fail(f"{count} algorithms in the header; 1 to {MAX_ALGORITHMS}")
    names: list[str] = []
    for _ in range(count):
        identifier, size = reader.integer(2, "algorithm"), reader.integer(2, "digest size")
        if identifier not in ALGORITHM_NAMES:
            raise UnsupportedError(
                "evidence.eventlog.algorithm-unsupported",
                f"digest algorithm 0x{identifier:04x} in the header",
            )
        name = ALGORITHM_NAMES[identifier]
        if name in names or size != ALGORITHM_SIZES[name]:
            reader.fail(f"{name} repeated in the header, or of {size} bytes")
        names.append(name)
    vendor = reader.take(reader.integer(1, "size of vendor information"), "vendor information")
    reader.done()
    return SpecId(platform, minor, major, errata, uintn, tuple(names), vendor)
