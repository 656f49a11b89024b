# SPDX-License-Identifier: AGPL-3.0-or-later
"""JSON with one reading: UTF-8, no duplicate keys, no floats, no NaN, bounded size, depth and integers.

RFC 8259 leaves duplicate names and number precision to the reader; two readers that differ there are an
attack (RFC 8259, sections 4 and 6), so both are refused.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from verifier.errors import MalformedError

MAX_BYTES = 1 << 20
MAX_DEPTH = 16
MAX_INTEGER = (1 << 53) - 1
_MAX_INTEGER_DIGITS = 16


class _RefusedError(Exception):
    """Carries a message out of the decoder's hooks."""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in pairs:
        if key in out:
            raise _RefusedError(f"duplicate key {key[:40]!r}")
        out[key] = value
    return out


def _integer(text: str) -> int:
    if len(text.lstrip("-")) > _MAX_INTEGER_DIGITS or abs(int(text)) > MAX_INTEGER:
        raise _RefusedError("integer outside +-(2^53 - 1)")
    return int(text)


def _number(text: str) -> NoReturn:
    raise _RefusedError(f"only integers are allowed, found {text[:24]}")


def _depth(text: str) -> int:
    """Deepest nesting of brackets outside strings; linear, so that recursion is bounded before decoding."""
    deepest = level = 0
    in_string = escaped = False
    for character in text:
        if in_string:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character in "[{":
            level += 1
            deepest = max(deepest, level)
        elif character in "]}":
            level -= 1
    return deepest


def loads(data: bytes, *, code: str, what: str) -> Any:
    """Decode ``data``; raises :class:`MalformedError` with ``code`` naming ``what``."""
    if len(data) > MAX_BYTES:
        raise MalformedError(code, f"{what}: {len(data)} bytes, at most {MAX_BYTES} allowed")
    try:
        text = data.decode("utf-8")
        if _depth(text) > MAX_DEPTH:
            raise _RefusedError(f"nested deeper than {MAX_DEPTH}")
        value = json.loads(
            text, object_pairs_hook=_pairs, parse_int=_integer, parse_float=_number, parse_constant=_number
        )
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # lone surrogates have no UTF-8 form
    except (_RefusedError, ValueError) as error:
        raise MalformedError(code, f"{what}: {error}") from None
    return value


def dumps(value: Any) -> bytes:
    """The one encoding this project writes: sorted keys, no spaces, ASCII, no trailing newline."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()
