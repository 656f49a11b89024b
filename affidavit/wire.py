# SPDX-License-Identifier: AGPL-3.0-or-later
"""A node's JSON as typed values; anything else than expected is ``client.response.malformed``."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Any

from affidavit.errors import MalformedError
from node.evidence import Evidence, Identity
from verifier.keys import KeySet

STATES = ("queued", "running", "done", "failed")
MAX_EVIDENCE, MAX_MEMBERS, MAX_BINDINGS = 8, 32, 16
CODE = re.compile(r"[a-z0-9]+([.-][a-z0-9]+)*\Z")
"""What a code looks like: dotted, lower-case, kebab segments."""

_ID = re.compile(r"[0-9a-f]{32}\Z")
_HEX = re.compile(r"([0-9a-f]{2})*\Z")


@dataclass(frozen=True)
class Job:
    """A request that a node acknowledged.

    Attributes:
        id: names it at that node.
        state: ``queued``, ``running``, ``done`` or ``failed``.
        code, message, remedy: why it failed; empty otherwise.
    """

    id: str
    state: str
    code: str = ""
    message: str = ""
    remedy: str = ""


def is_code(value: object) -> bool:
    """Whether ``value`` is text in the grammar of codes."""
    return isinstance(value, str) and len(value) <= 128 and CODE.match(value) is not None


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise _malformed("a JSON object")
    return value


def _malformed(required: str) -> MalformedError:
    return MalformedError("client.response.malformed", f"the node's answer is not as its API says: {required} required")


def _text(value: object, what: str) -> str:
    if not isinstance(value, str) or len(value) > 2000 or not value.isprintable():
        raise _malformed(what)
    return value


def _bytes(value: object, size: int, what: str) -> bytes:
    if not isinstance(value, str) or len(value) != 2 * size or not _HEX.match(value):
        raise _malformed(f"{size} bytes in hex as {what}")
    return bytes.fromhex(value)


def read_job(body: bytes) -> Job:
    """The answer to submitting and to asking for a state."""
    value = _object(body)
    job_id, state, error = value.get("id"), value.get("state"), value.get("error")
    if not isinstance(job_id, str) or not _ID.match(job_id) or state not in STATES:
        raise _malformed("a job's id and state")
    if error is None:
        return Job(job_id, state)
    if not isinstance(error, dict) or not is_code(error.get("code")):
        raise _malformed("an error object with a code")
    return Job(job_id, state, *(_text(error.get(key), f"the error's {key}") for key in ("code", "message", "remedy")))


def read_upload(body: bytes) -> bytes:
    """The answer to sending bytes ahead: the SHA-256 under which the node has them."""
    return _bytes(_object(body).get("sha256"), 32, "sha256")


def read_identity(body: bytes) -> Identity:
    """The answer of ``GET /v1/keys``; nothing in it is believed yet."""
    value = _object(body)
    listed = value.get("evidence")
    if not isinstance(listed, list) or len(listed) > MAX_EVIDENCE:
        raise _malformed(f"at most {MAX_EVIDENCE} pieces of evidence")
    keys = KeySet(_bytes(value.get("signing"), 32, "signing"), _bytes(value.get("sealing"), 32, "sealing"))
    return Identity(
        keys,
        _bytes(value.get("challenge"), 32, "challenge"),
        _bytes(value.get("signature"), 64, "signature"),
        tuple(_evidence(entry) for entry in listed),
        _binding(value.get("channel_binding")),
    )


def read_channel_bindings(body: bytes) -> tuple[str, ...]:
    """The answer of ``GET /health``: what the node says it can bind its keys to; none where it does not say."""
    listed = _object(body).get("channel_bindings", [])
    if not isinstance(listed, list) or len(listed) > MAX_BINDINGS:
        raise _malformed("a list of channel bindings")
    return tuple(_text(entry, "a channel binding's type") for entry in listed)


def _binding(value: object) -> str | None:
    return None if value is None else _text(value, "a channel binding's type")


def _evidence(entry: object) -> Evidence:
    members = entry.get("members") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(members, dict) or len(members) > MAX_MEMBERS:
        raise _malformed("evidence with its members")
    parts = {}
    for name, part in members.items():
        try:
            parts[name] = base64.b64decode(part, validate=True)
        except (binascii.Error, ValueError, TypeError):
            raise _malformed("members in base64") from None
    return Evidence(_text(entry.get("type"), "a type of evidence"), parts)
