# SPDX-License-Identifier: AGPL-3.0-or-later
"""Integer tensors as bytes, and commitments to them (``affidavit@v1``, section 4).

::

    opening    = "AFFTENS1" || u8 len(salt) || salt || u16 count || tensor*
    tensor     = u8 len(name) || name || u8 width || u8 rank || u32 dim* || elements
    commitment = SHA-256(opening)

All integers little-endian; ``width`` is 1, 2, 4 or 8 bytes, the narrowest two's complement that holds every
element; elements in C order; names strictly ascending. One value has one encoding, so the commitment is a
function of the integers alone. A 32-byte random salt makes it hiding (private inputs); without salt it is
binding only.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from verifier.errors import MalformedError

MAGIC = b"AFFTENS1"
SALT_BYTES = 32
MAX_TENSORS = 256
MAX_RANK = 8
MAX_ELEMENTS = 1 << 26
_CODE = "affidavit.tensors.malformed"

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Opening:
    """What a commitment opens to.

    Attributes:
        tensors: name to int64 array, any shape.
        salt: empty, or 32 random bytes.
    """

    tensors: Mapping[str, IntArray]
    salt: bytes = b""

    def encode(self) -> bytes:
        """The canonical bytes."""
        return encode_tensors(self.tensors, self.salt)


def _width(array: IntArray) -> int:
    if array.size == 0:
        return 1
    low, high = int(array.min()), int(array.max())
    for width in (1, 2, 4):
        if -(1 << (8 * width - 1)) <= low and high < 1 << (8 * width - 1):
            return width
    return 8


def encode_tensor(name: str, array: IntArray) -> bytes:
    """One ``tensor`` of the grammar above."""
    raw = name.encode("utf-8")
    if not 1 <= len(raw) <= 255 or array.ndim > MAX_RANK:
        raise MalformedError(_CODE, f"tensor {name[:40]!r}: name of 1 to 255 bytes and rank up to {MAX_RANK} allowed")
    width = _width(array)
    head = struct.pack("<B", len(raw)) + raw + struct.pack(f"<BB{array.ndim}I", width, array.ndim, *array.shape)
    return head + np.ascontiguousarray(array).astype(f"<i{width}").tobytes()


def encode_tensors(tensors: Mapping[str, IntArray], salt: bytes = b"") -> bytes:
    """The canonical opening of ``tensors`` under ``salt`` (empty or 32 bytes)."""
    if len(salt) not in (0, SALT_BYTES) or len(tensors) > MAX_TENSORS:
        raise MalformedError(_CODE, f"salt of 0 or {SALT_BYTES} bytes and at most {MAX_TENSORS} tensors allowed")
    parts = [MAGIC, struct.pack("<B", len(salt)), salt, struct.pack("<H", len(tensors))]
    parts += [encode_tensor(name, tensors[name]) for name in sorted(tensors)]
    return b"".join(parts)


def commit(tensors: Mapping[str, IntArray], salt: bytes = b"") -> bytes:
    """The 32-byte commitment."""
    return hashlib.sha256(encode_tensors(tensors, salt)).digest()


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.offset = data, 0

    def take(self, count: int) -> bytes:
        if count > len(self.data) - self.offset:
            raise MalformedError(_CODE, f"tensors end early: {count} bytes wanted at {self.offset}")
        self.offset += count
        return self.data[self.offset - count : self.offset]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")


def decode_tensors(data: bytes) -> Opening:
    """Parse an opening; refuses whatever :func:`encode_tensors` would not have written."""
    reader = _Reader(data)
    if reader.take(len(MAGIC)) != MAGIC:
        raise MalformedError(_CODE, "not a tensors file: wrong magic")
    salt = reader.take(reader.number(1))
    count = reader.number(2)
    if count > MAX_TENSORS:
        raise MalformedError(_CODE, f"{count} tensors, at most {MAX_TENSORS}")
    tensors: dict[str, IntArray] = {}
    for _ in range(count):
        raw = reader.take(reader.number(1))
        width, rank = reader.number(1), reader.number(1)
        if width not in (1, 2, 4, 8) or rank > MAX_RANK:
            raise MalformedError(_CODE, f"element width {width} or rank {rank} not allowed")
        shape = tuple(reader.number(4) for _ in range(rank))
        elements = 1
        for dimension in shape:  # bounded at each step: a product of zeros and huge numbers stays small
            elements *= dimension
            if elements > MAX_ELEMENTS:
                raise MalformedError(_CODE, f"more than {MAX_ELEMENTS} elements")
        array = np.frombuffer(reader.take(elements * width), dtype=f"<i{width}").astype(np.int64).reshape(shape)
        array.setflags(write=False)
        try:
            tensors[raw.decode("utf-8")] = array
        except UnicodeDecodeError:
            raise MalformedError(_CODE, "a tensor name is not UTF-8") from None
    opening = Opening(tensors, salt)
    if reader.offset != len(data) or opening.encode() != data:
        raise MalformedError(_CODE, "not the canonical encoding of its tensors")
    return opening
