# SPDX-License-Identifier: AGPL-3.0-or-later
"""TDX evidence as files: the quote (binary, hex, base64), or JSON or an envelope around it, with an event log.

=====================================  ==================================================================
form                                   told by
=====================================  ==================================================================
this project's members                 `type` and `members`
dstack's answer to GetQuote            `quote`, `event_log` as a list of events or its JSON text
dstack's envelope                      begins with 0 0; also as hex under `attestation`
attestation agents (Trustee and kin)   `quote` or `td_quote`, `cc_eventlog` in base64 or null; also under `evidence`
TSM report, in JSON or CBOR            `outblob`
other JSON                             one of the names that a quote has, on whatever level (`attestation.intel.raw`),
                                       with an event log beside it
=====================================  ==================================================================
"""

from __future__ import annotations

import json
from typing import Any

from attestation import raw
from attestation.dstack import is_envelope, read_tdx
from attestation.errors import MalformedError
from attestation.intel.quote import TDX
from attestation.intel.raw import carrier, exact, text_bytes
from attestation.tdx import dstack

TYPE = "tdx-quote@v1"
ID = "evidence.tdx"
_ENVELOPE = "attestation"
_LOGS = ("cc_eventlog", "ccel", "event_log")


def read(data: bytes) -> dict[str, bytes]:
    """Members of one file. Raises `MalformedError` (`evidence.tdx.raw-*`)."""
    members = raw.members(data, TYPE, ID)
    if members is not None:
        return members
    found = raw.document(data, ID)
    if found is None:
        found = raw.tsm_report(data, ID)
    if found is None:
        return _from_binary(raw.binary(data, ID))
    if not isinstance(found, dict):
        return _from_json({"": found})
    raw.check_tsm_report(found, ID)
    inner = found.get("evidence")
    return _from_json(inner if isinstance(inner, dict) else found)


def _from_binary(data: bytes) -> dict[str, bytes]:
    if not is_envelope(data):
        return {"quote": exact(data, TDX, ID)}
    quote, events = read_tdx(data, f"{ID}.raw")
    members = {"quote": exact(quote, TDX, ID)}
    log = dstack.encoded(events)
    # A stripped log has lost the firmware's events, which alone have no name: of the boot it tells nothing.
    return {**members, "event_log": log} if any(not event.name for event in events) else members


def _from_json(found: dict[str, Any]) -> dict[str, bytes]:
    if set(found) == {_ENVELOPE}:
        return _from_binary(text_bytes(found[_ENVELOPE], ID, "the attestation"))
    holder, quote = carrier(found, TDX, ID)
    logs = [key for key in _LOGS if holder.get(key)]
    if len(logs) > 1:
        raise MalformedError(f"{ID}.raw-malformed", f"JSON with a quote and at most one of {_LOGS} expected")
    members = {"quote": exact(text_bytes(quote, ID, "the quote"), TDX, ID)}
    if logs:
        members["event_log"] = _log(holder[logs[0]])
    return members


def _log(value: Any) -> bytes:
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise MalformedError(f"{ID}.raw-malformed", "an event log that is not JSON") from None
    if isinstance(value, list) and not all(type(octet) is int for octet in value):
        return dstack.event_log(value)
    return text_bytes(value, ID, "the event log")
