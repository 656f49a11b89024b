# SPDX-License-Identifier: AGPL-3.0-or-later
"""Protocol buffers as TenSEAL writes them: fields in increasing order, each exactly where it is expected.

https://protobuf.dev/programming-guides/encoding/. Python alone; nothing here allocates more than the message's length.
"""

from __future__ import annotations

import struct

from fhe.errors import MalformedError

__all__ = ["Fields", "tagged", "varint"]


def malformed(message: str) -> MalformedError:
    """``fhe.tenseal.malformed``."""
    return MalformedError("fhe.tenseal.malformed", message)


def varint(value: int) -> bytes:
    """A non-negative integer, seven bits a byte."""
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def tagged(number: int, content: bytes) -> bytes:
    """A field of bytes."""
    return varint(number << 3 | 2) + varint(len(content)) + content


class Fields:
    """A message, read from front to back. Every method raises MalformedError (``fhe.tenseal.malformed``)."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._data, self._at = memoryview(data), 0

    def _number(self) -> int:
        value = 0
        for shift in range(0, 63, 7):
            if self._at >= len(self._data):
                raise malformed("the message ends early")
            byte = self._data[self._at]
            self._at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise malformed("a number of over 63 bits")

    def _next_is(self, number: int, wire: int) -> bool:
        """Whether the next field is that one; its tag is then read."""
        tag = varint(number << 3 | wire)
        found = self._data[self._at : self._at + len(tag)] == tag
        self._at += len(tag) if found else 0
        return found

    def _bytes(self) -> memoryview:
        length = self._number()
        content = self._data[self._at : self._at + length]
        if len(content) != length:
            raise malformed("a field longer than the message")
        self._at += length
        return content

    def message(self, number: int) -> memoryview | None:
        """Bytes, or None where the next field is another."""
        return self._bytes() if self._next_is(number, 2) else None

    def packed(self, number: int, most: int) -> list[int]:
        """A packed list of at most so many integers."""
        if not self._next_is(number, 2):
            return []
        inner = Fields(self._bytes())
        values: list[int] = []
        while inner._at < len(inner._data):
            if len(values) == most:
                raise malformed(f"a list of more than {most} numbers")
            values.append(inner._number())
        return values

    def repeated(self, number: int, most: int) -> list[memoryview]:
        """Byte strings, not more than `most`."""
        found: list[memoryview] = []
        while len(found) < most and self._next_is(number, 2):
            found.append(self._bytes())
        return found

    def double(self, number: int) -> float:
        """A double; 0.0 where there is none."""
        if not self._next_is(number, 1):
            return 0.0
        content = self._data[self._at : self._at + 8]
        if len(content) != 8:
            raise malformed("the message ends early")
        self._at += 8
        return float(struct.unpack("<d", content)[0])

    def integer(self, number: int) -> int:
        """An integer; 0 where there is none."""
        return self._number() if self._next_is(number, 0) else 0

    @property
    def done(self) -> bool:
        """Whether nothing is left."""
        return self._at == len(self._data)

    def end(self) -> None:
        """Nothing may follow."""
        if not self.done:
            raise malformed("other fields, or fields out of order")
