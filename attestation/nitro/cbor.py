# SPDX-License-Identifier: AGPL-3.0-or-later
"""The part of CBOR (RFC 8949) that attestation documents use, with one encoding per value.

Unsigned integers, byte strings, text, arrays, maps and null; lengths and integers in their shortest form. The
outermost map may be of indefinite length, as the Nitro Security Module writes it in its present release (earlier
ones wrote a definite length). Tags, floats, booleans, other indefinite lengths, and a key twice in a map are refused.
"""

from __future__ import annotations

from typing import Any

from attestation.errors import MalformedError
from attestation.wire import Reader

MAX_DEPTH = 3
"""Containers within containers: the document, a map or list in it."""

_UNSIGNED, _BYTES, _TEXT, _ARRAY, _MAP = 0, 2, 3, 4, 5
_NULL = 0xF6
_BREAK = 0xFF
_INDEFINITE_MAP = 0xBF


def decode(data: bytes, prefix: str) -> Any:
    """The one value in `data`: int, bytes, str, list, dict with int or str keys, or None.

    Raises `MalformedError` with `<prefix>-truncated`, `-trailing` or `-malformed`.
    """
    reader = Reader(data, prefix)
    value = _value(reader, 0)
    reader.done()
    return value


def head(major: int, argument: int) -> bytes:
    """The shortest head of a value of that major type. Raises `OverflowError` beyond 64 bits."""
    if argument < 24:
        return bytes((major << 5 | argument,))
    for extra in range(4):
        if argument < 1 << (8 << extra):
            return bytes((major << 5 | 24 + extra,)) + argument.to_bytes(1 << extra, "big")
    raise OverflowError("a CBOR argument has at most 64 bits")


def byte_string(value: bytes) -> bytes:
    """`value` as a CBOR byte string."""
    return head(_BYTES, len(value)) + value


def read_bytes(reader: Reader, what: str) -> bytes:
    """A byte string at the reader's position."""
    value = _value(reader, MAX_DEPTH)
    if not isinstance(value, bytes):
        reader.fail(f"{what} is no byte string")
    return value


def _value(reader: Reader, depth: int) -> Any:
    first = reader.integer(1, "head of a value")
    if first == _NULL:
        return None
    if first == _INDEFINITE_MAP and depth == 0:
        return _pairs(reader, None, depth)
    major = first >> 5
    argument = _argument(reader, first & 0x1F)
    if major == _UNSIGNED:
        return argument
    if major == _BYTES:
        return reader.take(argument, "byte string")
    if major == _TEXT:
        return _text(reader, argument)
    if major not in (_ARRAY, _MAP) or depth >= MAX_DEPTH or argument > reader.left:
        reader.fail(f"a value that no attestation document has there (head 0x{first:02x})")
    if major == _MAP:
        return _pairs(reader, argument, depth)
    return [_value(reader, depth + 1) for _ in range(argument)]


def _text(reader: Reader, size: int) -> str:
    try:
        return reader.take(size, "text").decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedError(f"{reader.prefix}-malformed", "text that is not UTF-8") from None


def _argument(reader: Reader, short: int) -> int:
    if short < 24:
        return short
    if short > 27:
        reader.fail("a reserved or indefinite length")
    size = 1 << short - 24
    argument = reader.integer(size, "length or integer")
    if argument < (24 if size == 1 else 1 << 4 * size):
        reader.fail("a length or integer that is not in its shortest form")
    return argument


def _pairs(reader: Reader, count: int | None, depth: int) -> dict[int | str, Any]:
    found: dict[int | str, Any] = {}
    while len(found) != count:
        if count is None and reader.peek(1) == bytes((_BREAK,)):
            reader.take(1, "break")
            break
        key = _value(reader, MAX_DEPTH)
        if not isinstance(key, int | str):
            reader.fail("a key that is neither integer nor text")
        if key in found:
            reader.fail(f"key {str(key)[:40]!r} twice")
        found[key] = _value(reader, depth + 1)
    return found
