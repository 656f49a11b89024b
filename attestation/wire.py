# SPDX-License-Identifier: AGPL-3.0-or-later
"""A bounded cursor over bytes from strangers, shared by the binary parsers.

Every read checks what is left, so a parser built on it can neither index out of range nor allocate
more than it was given.
"""

from __future__ import annotations

from typing import Literal, NoReturn

from attestation.errors import MalformedError

ByteOrder = Literal["big", "little"]


class Reader:
    """Reads integers and byte strings; errors carry `<prefix>-truncated`, `-trailing` or `-malformed`."""

    __slots__ = ("_data", "_order", "offset", "prefix")

    def __init__(self, data: bytes, prefix: str, order: ByteOrder = "big") -> None:
        self._data = data
        self._order: ByteOrder = order
        self.offset = 0
        self.prefix = prefix

    @property
    def left(self) -> int:
        """Bytes not yet read."""
        return len(self._data) - self.offset

    def take(self, count: int, what: str) -> bytes:
        """The next `count` bytes."""
        if count > self.left:
            raise MalformedError(
                f"{self.prefix}-truncated",
                f"{what} needs {count} bytes at offset {self.offset}; {self.left} are left",
            )
        start, self.offset = self.offset, self.offset + count
        return self._data[start : self.offset]

    def integer(self, size: int, what: str) -> int:
        """An unsigned integer of `size` bytes."""
        return int.from_bytes(self.take(size, what), self._order)

    def sized(self, maximum: int, what: str) -> bytes:
        """A 16-bit length followed by that many bytes (a TPM2B)."""
        size = self.integer(2, f"length of {what}")
        if size > maximum:
            self.fail(f"{what} has {size} bytes; at most {maximum}")
        return self.take(size, what)

    def rest(self) -> bytes:
        """Everything that is left."""
        return self.take(self.left, "rest")

    def peek(self, count: int) -> bytes:
        """At most `count` of the next bytes, without moving."""
        return self._data[self.offset : self.offset + count]

    def done(self) -> None:
        """Refuse trailing bytes."""
        if self.left:
            raise MalformedError(f"{self.prefix}-trailing", f"{self.left} bytes after the end at offset {self.offset}")

    def fail(self, message: str) -> NoReturn:
        """Refuse what was read."""
        raise MalformedError(f"{self.prefix}-malformed", message)


def sized(value: bytes) -> bytes:
    """`value` as a TPM2B: 16-bit big-endian length, then the bytes. Raises `ValueError` beyond 65535 bytes."""
    if len(value) > 0xFFFF:
        raise ValueError(f"{len(value)} bytes where a length of 16 bits goes before")
    return len(value).to_bytes(2, "big") + value
