# SPDX-License-Identifier: AGPL-3.0-or-later
"""TCB information and QE identity: what Intel signs about platforms, TDX modules and quoting enclaves.

Source: Intel SGX and TDX Provisioning Certification Service API, version 4: TCB Info V3, QE Identity V2. Parsed
after their signature was verified, and still with exact types: what is not understood is not relied upon.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, TypeVar

T = TypeVar("T")

STATUSES: Mapping[str, int] = MappingProxyType(
    {
        "UpToDate": 0,
        "SWHardeningNeeded": 1,
        "ConfigurationNeeded": 2,
        "ConfigurationAndSWHardeningNeeded": 3,
        "OutOfDate": 4,
        "OutOfDateConfigurationNeeded": 5,
        "Revoked": 6,
    }
)
"""TCB statuses with their severity."""
PART_STATUSES = frozenset({"UpToDate", "OutOfDate", "Revoked"})
"""The only ones of quoting enclaves and TDX modules."""

MAX_DOCUMENT = 1 << 18
"""Bytes; real ones have 3 to 20 thousand."""
MAX_LEVELS = 256
MAX_ADVISORIES = 256
COMPONENTS = 16

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\Z")
_ADVISORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


class UnreadableError(ValueError):
    """The document is not of the version and form that is understood."""


@dataclass(frozen=True, slots=True)
class Level:
    """One rung: what it takes, and what it means. `tdx` is empty in SGX's TCB information; QE and TDX module
    levels have only `svn` (their ISVSVN; the PCESVN elsewhere)."""

    svn: int
    status: str
    date: datetime
    advisories: tuple[str, ...]
    sgx: tuple[int, ...] = ()
    tdx: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Module:
    """A TDX module identity; `levels` is empty for the one without a version (`tdxModule`)."""

    id: str
    mrsigner: bytes
    attributes: bytes
    mask: bytes
    levels: tuple[Level, ...] = ()


@dataclass(frozen=True, slots=True)
class TcbInfo:
    """TCB Info V3 of one FMSPC; `id` is `SGX` or `TDX`."""

    id: str
    issued: datetime
    next_update: datetime
    evaluation: int
    fmspc: bytes
    pce_id: bytes
    levels: tuple[Level, ...]
    module: Module | None
    modules: tuple[Module, ...]


@dataclass(frozen=True, slots=True)
class QeIdentity:
    """QE Identity V2; `id` is `QE` (SGX) or `TD_QE`. Masked fields as integers, little-endian as in reports."""

    id: str
    issued: datetime
    next_update: datetime
    evaluation: int
    misc_select: int
    misc_select_mask: int
    attributes: bytes
    attributes_mask: bytes
    mrsigner: bytes
    isv_prod_id: int
    levels: tuple[Level, ...]


def load(body: bytes) -> dict[str, Any]:
    """The JSON object. Raises `UnreadableError`."""
    if len(body) > MAX_DOCUMENT:
        raise UnreadableError(f"{len(body)} bytes")
    try:
        value = json.loads(body, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise UnreadableError("not JSON") from None
    if not isinstance(value, dict):
        raise UnreadableError("not an object")
    return value


@lru_cache(maxsize=64)
def parse_tcb_info(body: bytes) -> TcbInfo:
    """The TCB information in the signed bytes. Raises `UnreadableError`."""
    value = load(body)
    kind = _text(value, "id")
    if kind not in ("SGX", "TDX") or value.get("version") != 3 or value.get("tcbType") != 0:
        raise UnreadableError("not TCB information of version 3 and type 0")
    tdx = kind == "TDX"
    return TcbInfo(
        kind,
        _time(value, "issueDate"),
        _time(value, "nextUpdate"),
        _number(value, "tcbEvaluationDataNumber", 0xFFFFFFFF),
        _hex(value, "fmspc", 6),
        _hex(value, "pceId", 2),
        _many(value, "tcbLevels", lambda level: _platform_level(level, tdx)),
        _module(_object(value, "tdxModule"), "") if tdx else None,
        _many(value, "tdxModuleIdentities", _identity) if tdx and "tdxModuleIdentities" in value else (),
    )


@lru_cache(maxsize=16)
def parse_qe_identity(body: bytes) -> QeIdentity:
    """The QE identity in the signed bytes. Raises `UnreadableError`."""
    value = load(body)
    kind = _text(value, "id")
    if kind not in ("QE", "TD_QE") or value.get("version") != 2:
        raise UnreadableError("not a QE identity of version 2")
    return QeIdentity(
        kind,
        _time(value, "issueDate"),
        _time(value, "nextUpdate"),
        _number(value, "tcbEvaluationDataNumber", 0xFFFFFFFF),
        int.from_bytes(_hex(value, "miscselect", 4), "little"),
        int.from_bytes(_hex(value, "miscselectMask", 4), "little"),
        _hex(value, "attributes", 16),
        _hex(value, "attributesMask", 16),
        _hex(value, "mrsigner", 32),
        _number(value, "isvprodid", 0xFFFF),
        _many(value, "tcbLevels", lambda level: _svn_level(level, 0xFFFF)),
    )


def _platform_level(value: dict[str, Any], tdx: bool) -> Level:
    tcb = _object(value, "tcb")
    return Level(
        _number(tcb, "pcesvn", 0xFFFF),
        *_meaning(value),
        _components(tcb, "sgxtcbcomponents"),
        _components(tcb, "tdxtcbcomponents") if tdx else (),
    )


def _svn_level(value: dict[str, Any], limit: int) -> Level:
    level = Level(_number(_object(value, "tcb"), "isvsvn", limit), *_meaning(value))
    if level.status not in PART_STATUSES:
        raise UnreadableError(f"TCB status {level.status} of an enclave or module")
    return level


def _meaning(value: dict[str, Any]) -> tuple[str, datetime, tuple[str, ...]]:
    status = _text(value, "tcbStatus")
    if status not in STATUSES:
        raise UnreadableError(f"TCB status {status!r}")
    advisories = value.get("advisoryIDs", [])
    if not isinstance(advisories, list) or len(advisories) > MAX_ADVISORIES:
        raise UnreadableError("advisoryIDs")
    if not all(isinstance(name, str) and _ADVISORY.match(name) for name in advisories):
        raise UnreadableError("advisoryIDs")
    return status, _time(value, "tcbDate"), tuple(advisories)


def _module(value: dict[str, Any], id_: str) -> Module:
    return Module(id_, _hex(value, "mrsigner", 48), _hex(value, "attributes", 8), _hex(value, "attributesMask", 8))


def _identity(value: dict[str, Any]) -> Module:
    plain = _module(value, _text(value, "id").upper())
    levels = _many(value, "tcbLevels", lambda level: _svn_level(level, 0xFF))
    return Module(plain.id, plain.mrsigner, plain.attributes, plain.mask, levels)


def _components(tcb: dict[str, Any], key: str) -> tuple[int, ...]:
    found = _many(tcb, key, lambda part: _number(part, "svn", 255))
    if len(found) != COMPONENTS:
        raise UnreadableError(f"{key} has {len(found)} entries")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _object(value: dict[str, Any], key: str) -> dict[str, Any]:
    found = value.get(key)
    if not isinstance(found, dict):
        raise UnreadableError(key)
    return found


def _text(value: dict[str, Any], key: str) -> str:
    found = value.get(key)
    if not isinstance(found, str) or len(found) > 64:
        raise UnreadableError(key)
    return found


def _number(value: dict[str, Any], key: str, limit: int) -> int:
    found = value.get(key)
    if type(found) is not int or not 0 <= found <= limit:
        raise UnreadableError(key)
    return found


def _hex(value: dict[str, Any], key: str, size: int) -> bytes:
    try:
        found = bytes.fromhex(value[key])
    except (KeyError, TypeError, ValueError):
        raise UnreadableError(key) from None
    if len(found) != size:
        raise UnreadableError(key)
    return found


def _time(value: dict[str, Any], key: str) -> datetime:
    text = _text(value, key)
    try:
        if not _TIME.match(text):
            raise ValueError
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise UnreadableError(key) from None


def _many(value: dict[str, Any], key: str, item: Callable[[dict[str, Any]], T]) -> tuple[T, ...]:
    found = value.get(key)
    if not isinstance(found, list) or len(found) > MAX_LEVELS or not all(isinstance(part, dict) for part in found):
        raise UnreadableError(key)
    return tuple(item(part) for part in found)
