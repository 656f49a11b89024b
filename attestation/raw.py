# SPDX-License-Identifier: AGPL-3.0-or-later
"""Evidence in the raw forms in which its sources give it: binary, hex, base64, JSON.

`Format.read` turns one such file into the format's members. These are the parts that formats share.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Set
from typing import Any

from attestation.armour import decode_base64
from attestation.cbor import decode
from attestation.collateral.recognition import unarmoured
from attestation.errors import MalformedError

MAX_RAW = 16 << 20
MAX_DEPTH = 32
_TSM_KEYS = frozenset(
    {"auxblob", "generation", "manifestblob", "outblob", "privilege_level", "privlevel", "provider", "service_provider"}
)
_TSM_PROVIDERS = ("sev_guest", "tdx_guest", "sev_guest\n", "tdx_guest\n")
_ENCODINGS = ("hex", "b64", "base64")
_CBOR_MAP = 5
"""CBOR's major type."""


def binary(data: bytes, prefix: str) -> bytes:
    """The bytes inside hex or base64 armour, or `data` itself.

    Raises `MalformedError` with `<prefix>.raw-too-large` or `<prefix>.raw-empty`.
    """
    if len(data) > MAX_RAW:
        raise MalformedError(f"{prefix}.raw-too-large", f"a file of {len(data)} bytes; at most {MAX_RAW}")
    payload = unarmoured(data)
    if not payload:
        raise MalformedError(f"{prefix}.raw-empty", "a file without content")
    return payload


def document(data: bytes, prefix: str) -> dict[str, Any] | list[Any] | None:
    """The JSON object or array in `data`, or None where it is no JSON document at all.

    Raises `MalformedError` with `<prefix>.raw-malformed` for JSON that does not parse, has duplicate keys or nests
    deeper than `MAX_DEPTH`, and as `binary` does.
    """
    payload = binary(data, prefix).lstrip(b"\xef\xbb\xbf \t\r\n")
    if payload[:1] not in (b"{", b"["):
        return None
    try:
        value = json.loads(payload.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"{prefix}.raw-malformed", f"not JSON: {str(error)[:120]}") from None
    if _depth(value) > MAX_DEPTH:
        raise MalformedError(f"{prefix}.raw-malformed", f"JSON nested deeper than {MAX_DEPTH}")
    found: dict[str, Any] | list[Any] = value
    return found


def tsm_report(data: bytes, prefix: str) -> dict[str, Any] | None:
    """The map in a TSM report as CBOR, or None where `data` is something else.

    ::

        {"provider": text, "outblob": bytes, ? "auxblob": bytes, ? "privilege_level": uint, ...}

    A machine's agent copies the attributes of the kernel's report into it (configfs-tsm-report; tsm-report.cddl of
    veraison/ratsd, `application/vnd.veraison.tsm-report+cbor`); as JSON, `document` reads it. Raises `MalformedError`
    with `<prefix>.raw-malformed`, and as `binary` does.
    """
    payload = binary(data, prefix)
    if payload[0] >> 5 != _CBOR_MAP or b"\x67outblob" not in payload:
        return None
    found: dict[str, Any] = decode(payload, f"{prefix}.raw-malformed", "TSM report")
    if "outblob" not in found:  # a map of something else, whose keys need not even be texts
        raise MalformedError(f"{prefix}.raw-malformed", "a CBOR map that is no TSM report")
    check_tsm_report(found, prefix)
    return found


def check_tsm_report(found: Mapping[Any, Any], prefix: str) -> None:
    """Refuse an `outblob` beside what no TSM report has, or of a provider that is not known.

    Raises `MalformedError` with `<prefix>.raw-malformed`.
    """
    if "outblob" in found and not (found.keys() <= _TSM_KEYS and found.get("provider", "") in ("", *_TSM_PROVIDERS)):
        raise MalformedError(f"{prefix}.raw-malformed", "a TSM report with other keys, or of another provider")


def members(data: bytes, type_: str, prefix: str) -> dict[str, bytes] | None:
    """Members from this project's own JSON form, or None where `data` is something else.

    ::

        {"type": "snp-report@v1", "members": {"report": "<base64>", ...}}

    Raises `MalformedError` as `document` does, and with `<prefix>.raw-malformed` for another type, or base64 that does
    not decode.
    """
    found = document(data, prefix)
    if not isinstance(found, dict) or set(found) != {"type", "members"}:
        return None
    if found["type"] != type_ or not isinstance(found["members"], dict):
        raise MalformedError(f"{prefix}.raw-malformed", f"evidence of type {str(found['type'])[:64]!r}, not {type_!r}")
    parts = {}
    for name, text in found["members"].items():
        if not name.isascii():  # JSON allows lone surrogates, which have no UTF-8
            raise MalformedError(f"{prefix}.raw-malformed", f"a member named {name[:64]!r}")
        try:
            parts[name] = decode_base64(text)
        except (AttributeError, TypeError, ValueError):
            raise MalformedError(f"{prefix}.raw-malformed", f"member {name[:64]!r} is not base64") from None
    return parts


def members_document(type_: str, parts: Mapping[str, bytes]) -> bytes:
    """The JSON form that `members` reads."""
    encoded = {name: base64.b64encode(data).decode("ascii") for name, data in parts.items()}
    return json.dumps({"type": type_, "members": encoded}, indent=1).encode("ascii") + b"\n"


def nested(found: Any, names: Set[str], resembles: Callable[[Any], bool]) -> list[tuple[dict[str, Any], Any]]:
    """The objects inside of JSON or CBOR that hold one of these names, and what is there if it `resembles`.

    Whoever wraps evidence nests it as they like. Outer objects come first; the outermost is left out, since formats
    know the names that they look for there. Names are as `plain_name` has them.
    """
    held: list[tuple[dict[str, Any], Any]] = []
    level = list(found.values()) if isinstance(found, dict) else [found]
    while level:
        for node in level:
            if isinstance(node, dict):
                named = (item for key, item in node.items() if isinstance(key, str) and plain_name(key) in names)
                held += [(node, item) for item in named if resembles(item)]
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
        ]
    return held


def plain_name(key: str) -> str:
    """A key without case, underscores and hyphens, and without the name of an encoding behind it."""
    name = key.lower().replace("_", "").replace("-", "")
    return next((stem for ending in _ENCODINGS if (stem := name.removesuffix(ending)) != name), name)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            break
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
        ]
    return depth
