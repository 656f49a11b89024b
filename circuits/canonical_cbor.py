# SPDX-License-Identifier: AGPL-3.0-or-later
"""CBOR with exactly one encoding per value: RFC 8949 section 4.2.1, core deterministic encoding.

The subset: integers of 64 bits, byte strings, UTF-8 text, arrays, maps with text keys, false, true, null and
finite floats in their shortest form. No tags, no indefinite lengths, no other simple values. The decoder
accepts what the encoder writes and nothing else, and needs no recursion deeper than the caller allows.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import TypeAlias

from circuits.errors import MalformedError

CborValue: TypeAlias = "int | float | bool | str | bytes | list[CborValue] | dict[str, CborValue] | None"

_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _SIMPLE = 0, 1, 2, 3, 4, 5, 7
_SIZES = {24: 1, 25: 2, 26: 4, 27: 8}
_FLOATS = {25: ">e", 26: ">f", 27: ">d"}


def encode(value: object) -> bytes:
    """The one encoding of a value. Tuples count as arrays, any Mapping as a map.

    Raises MalformedError (circuit.cbor.value) for what the subset doesn't have.
    """
    if value is None or isinstance(value, bool):
        return bytes([0xF6 if value is None else 0xF4 + value])
    if isinstance(value, int):
        return _head(_UNSIGNED, value) if value >= 0 else _head(_NEGATIVE, -1 - value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, bytes):
        return _head(_BYTES, len(value)) + value
    if isinstance(value, str):
        try:
            text = value.encode()
        except UnicodeEncodeError:
            raise MalformedError("circuit.cbor.value", "text with a lone surrogate; required Unicode") from None
        return _head(_TEXT, len(text)) + text
    if isinstance(value, list | tuple):
        return _head(_ARRAY, len(value)) + b"".join(map(encode, value))
    if isinstance(value, Mapping) and all(isinstance(k, str) for k in value):
        items = sorted((encode(k), encode(v)) for k, v in value.items())
        return _head(_MAP, len(items)) + b"".join(k + v for k, v in items)
    raise MalformedError("circuit.cbor.value", f"a {type(value).__name__} has no canonical encoding here")


def decode(data: bytes, *, max_depth: int, max_items: int) -> CborValue:
    """The value whose one encoding `data` is.

    Raises MalformedError: circuit.cbor.truncated, .trailing, .not-canonical, .type, .too-deep,
    .too-many-items.
    """
    reader = _Reader(data, max_items)
    value = reader.value(max_depth)
    if reader.at != len(data):
        raise MalformedError("circuit.cbor.trailing", f"{len(data) - reader.at} bytes after the value; required 0")
    return value


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes([major << 5 | argument])
    for info, size in _SIZES.items():
        if argument < 1 << (8 * size):
            return bytes([major << 5 | info]) + argument.to_bytes(size, "big")
    raise MalformedError("circuit.cbor.value", "an integer or length needs more than 64 bits")


def _float(value: float) -> bytes:
    if not math.isfinite(value):
        raise MalformedError("circuit.cbor.value", f"float {value}; required finite")
    for info, layout in _FLOATS.items():
        try:
            packed = struct.pack(layout, value)
        except OverflowError:
            continue
        if struct.unpack(layout, packed)[0] == value:
            return bytes([_SIMPLE << 5 | info]) + packed
    raise MalformedError("circuit.cbor.value", "float without an encoding")  # a finite double always has one


class _Reader:
    def __init__(self, data: bytes, max_items: int) -> None:
        self.data = data
        self.at = 0
        self.left = max_items

    def take(self, count: int) -> bytes:
        if count > len(self.data) - self.at:
            missing = count - (len(self.data) - self.at)
            raise MalformedError("circuit.cbor.truncated", f"{missing} bytes missing at offset {self.at}")
        self.at += count
        return self.data[self.at - count : self.at]

    def value(self, depth: int) -> CborValue:
        if depth < 0:
            raise MalformedError("circuit.cbor.too-deep", f"nesting too deep at offset {self.at}")
        self.left -= 1
        if self.left < 0:
            raise MalformedError("circuit.cbor.too-many-items", f"too many items at offset {self.at}")
        start = self.at
        major, info = divmod(self.take(1)[0], 32)
        if major == _SIMPLE:
            return self.simple(info, start)
        argument = self.argument(info, start)
        if major == _UNSIGNED:
            return argument
        if major == _NEGATIVE:
            return -1 - argument
        if major == _BYTES:
            return self.take(argument)
        if major == _TEXT:
            return self.text(argument, start)
        if major == _ARRAY:
            self.room(argument, start)
            return [self.value(depth - 1) for _ in range(argument)]
        if major == _MAP:
            self.room(argument, start)
            return self.map(argument, depth)
        raise MalformedError("circuit.cbor.type", f"a tag at offset {start}; required none")

    def argument(self, info: int, start: int) -> int:
        if info < 24:
            return info
        if info not in _SIZES:
            raise MalformedError("circuit.cbor.type", f"indefinite or reserved length at offset {start}")
        size = _SIZES[info]
        argument = int.from_bytes(self.take(size), "big")
        if argument < (24 if size == 1 else 1 << (4 * size)):
            raise MalformedError("circuit.cbor.not-canonical", f"{argument} is not in its shortest form at {start}")
        return argument

    def room(self, count: int, start: int) -> None:
        if count > len(self.data) - self.at:  # every item takes at least one byte
            raise MalformedError("circuit.cbor.truncated", f"{count} items announced at offset {start}")

    def simple(self, info: int, start: int) -> CborValue:
        if info in (20, 21, 22):
            return (False, True, None)[info - 20]
        if info not in _FLOATS:
            raise MalformedError("circuit.cbor.type", f"simple value {info} at offset {start}; required none")
        layout = _FLOATS[info]
        value: float = struct.unpack(layout, self.take(struct.calcsize(layout)))[0]
        if not math.isfinite(value) or _float(value) != self.data[start : self.at]:
            raise MalformedError("circuit.cbor.not-canonical", f"float at offset {start}: not finite or not shortest")
        return value

    def text(self, length: int, start: int) -> str:
        try:
            return self.take(length).decode()
        except UnicodeDecodeError:
            raise MalformedError("circuit.cbor.type", f"text at offset {start} is not UTF-8") from None

    def map(self, count: int, depth: int) -> dict[str, CborValue]:
        result: dict[str, CborValue] = {}
        before = b""
        for _ in range(count):
            start = self.at
            key = self.value(depth - 1)
            if not isinstance(key, str):
                raise MalformedError("circuit.cbor.type", f"map key at offset {start} is not text")
            encoded = self.data[start : self.at]
            if encoded <= before:
                raise MalformedError("circuit.cbor.not-canonical", f"map key {key[:64]!r} is out of order or repeated")
            before = encoded
            result[key] = self.value(depth - 1)
        return result
