# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a log says in the registers that a quote vouches for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from attestation.errors import MalformedError
from attestation.eventlog.events import EV_NO_ACTION, EventLog
from attestation.eventlog.replay import initial_value, replay, startup_locality
from attestation.eventlog.variables import EFI_GLOBAL_VARIABLE, parse_variable

MAX_LISTED = 256
MAX_TEXT = 160
SECURE_BOOT_PCR = 7
_SEPARATORS = (bytes(4), b"\xff\xff\xff\xff", b"\x01\x00\x00\x00")


@dataclass(frozen=True, slots=True)
class Coverage:
    """How the registers of one bank compare with the log.

    `covered`: replay gives the quoted value. `mismatched`: the log has events for it and they give another
    value. `unlogged`: no events, and the register is not in its initial state.
    """

    algorithm: str
    covered: frozenset[int]
    mismatched: frozenset[int]
    unlogged: frozenset[int]


def cover(log: EventLog, algorithm: str, quoted: Mapping[int, bytes]) -> Coverage:
    """Compare a replay of `log` with `quoted` register values. Raises `UnsupportedError` like `replay`."""
    replayed = replay(log, algorithm)
    locality = startup_locality(log)
    covered: set[int] = set()
    mismatched: set[int] = set()
    unlogged: set[int] = set()
    for register, value in quoted.items():
        if register in replayed:
            (covered if replayed[register] == value else mismatched).add(register)
        elif value == initial_value(algorithm, register, locality):
            covered.add(register)
        else:
            unlogged.add(register)
    return Coverage(algorithm, frozenset(covered), frozenset(mismatched), frozenset(unlogged))


def secure_boot(log: EventLog, coverage: Coverage, *, register: int = SECURE_BOOT_PCR) -> bool | None:
    """Whether UEFI Secure Boot was on; None when `register` (PCR 7; in a CCEL, RTMR0) does not vouch for an answer.

    Judged by measured data alone: the first events of the register, up to its separator, whose data hashes to the
    digest and is the global variable `SecureBoot`. More than one such event is no answer.
    """
    if register not in coverage.covered:
        return None
    found: list[bool] = []
    for event in log.events:
        if event.register != register or event.type == EV_NO_ACTION:
            continue
        if not event.binds_data(coverage.algorithm):
            continue
        if event.data in _SEPARATORS:
            break
        try:
            variable = parse_variable(event.data)
        except MalformedError:
            continue
        if variable.guid == EFI_GLOBAL_VARIABLE and variable.name == "SecureBoot":
            found.append(variable.value == b"\x01")
    return found[0] if len(found) == 1 else None


def summarise(log: EventLog, coverage: Coverage) -> list[dict[str, Any]]:
    """The measured events of covered registers, in order, at most `MAX_LISTED`: JSON values.

    `text` appears only where the digest binds the data and the data is printable.
    """
    listed: list[dict[str, Any]] = []
    for event in log.events:
        if event.type == EV_NO_ACTION or event.register not in coverage.covered:
            continue
        if coverage.algorithm not in event.digests:
            continue
        if len(listed) == MAX_LISTED:
            break
        entry: dict[str, Any] = {
            "register": event.register,
            "type": event.type_name,
            "digest": event.digests[coverage.algorithm].hex(),
        }
        text = _text(event.data) if event.binds_data(coverage.algorithm) else None
        if text is not None:
            entry["text"] = text
        listed.append(entry)
    return listed


def _text(data: bytes) -> str | None:
    try:
        text = data.rstrip(b"\x00").decode("ascii")
    except UnicodeDecodeError:
        return None
    return text if 0 < len(text) <= MAX_TEXT and text.isprintable() else None
