# SPDX-License-Identifier: AGPL-3.0-or-later
"""Mutants of one string of bytes: blind ones, lengths and numbers, splices, armour."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Sequence
from typing import Literal

from tests.attestation.fuzzing.documents import edit_document

MAX_GROWN = 1 << 20
"""Bytes of the largest mutants; they are rare."""
MAX_USUAL = 1 << 16

_ORDERS: tuple[Literal["big"], Literal["little"]] = ("big", "little")

Mutation = Callable[[random.Random, bytearray, Sequence[bytes]], bytes | bytearray]


def _flip(rng: random.Random, data: bytearray, pool: Sequence[bytes]) -> bytearray:
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data


def _overwrite(rng: random.Random, data: bytearray, pool: Sequence[bytes]) -> bytearray:
    at, count = rng.randrange(len(data)), rng.randrange(1, 33)
    filling = rng.choice((rng.randbytes(count), bytes(count), b"\xff" * count, b" " * count))
    data[at : at + count] = filling[: len(data) - at]
    return data


def _cut(rng: random.Random, data: bytearray, pool: Sequence[bytes]) -> bytearray:
    del data[rng.randrange(len(data)) :]
    return data


def _extend(rng: random.Random, data: bytearray, pool: Sequence[bytes]) -> bytearray:
    count = rng.randrange(1, 200)
    return data + rng.choice((bytes(count), rng.randbytes(count), b"\n", b"\xff" * count, bytes(data[:count])))


def _insert(rng: random.Random, data: bytearray, pool: Sequence[bytes]) -> bytearray:
    at = rng.randrange(len(data) + 1)
    data[at:at] = rng.randbytes(rng.choice((1, 2, 4, 8, 32)))
    return data


def _remove(rng: random.Random, data: bytearray, pool: Sequence[bytes]) -> bytearray:
    at = rng.randrange(len(data))
    del data[at : at + rng.choice((1, 2, 4, 8, 32, 100))]
    return data


def _repeat(rng: random.Random, data: bytearray, pool: Sequence[bytes]) -> bytearray:
    """A stretch a second time, next to itself or elsewhere."""
    at = rng.randrange(len(data))
    piece = bytes(data[at : at + rng.choice((1, 4, 16, 64, 256, 1024))])
    to = at if rng.randrange(2) else rng.randrange(len(data))
    data[to:to] = piece
    return data


def _grow(rng: random.Random, data: bytearray, pool: Sequence[bytes]) -> bytearray:
    """A stretch many times over."""
    limit = MAX_GROWN if rng.randrange(50) == 0 else MAX_USUAL
    at = rng.randrange(len(data))
    piece = bytes(data[at : at + rng.choice((1, 1, 2, 8, 50, 300))])
    data[at:at] = piece * (rng.randrange(1, max(2, limit // len(piece))))
    return data


def _swap(rng: random.Random, data: bytearray, pool: Sequence[bytes]) -> bytearray:
    """Two stretches of one length exchanged."""
    size = min(rng.choice((1, 2, 4, 16, 48)), len(data) // 2)
    here, there = rng.randrange(len(data) - size), rng.randrange(len(data) - size)
    if size and abs(here - there) >= size:
        data[here : here + size], data[there : there + size] = (
            data[there : there + size],
            data[here : here + size],
        )
    return data


def _splice(rng: random.Random, data: bytearray, pool: Sequence[bytes]) -> bytearray:
    """A stretch of another input: at the same place, or anything anywhere."""
    other = rng.choice(pool)
    if rng.randrange(2):
        at = rng.randrange(len(data))
        end = at + rng.choice((4, 32, 96, 512, len(other)))
        data[at:end] = other[at:end]
    else:
        data[rng.randrange(len(data)) :] = other[rng.randrange(len(other) + 1) :]
    return data


def _number(rng: random.Random, data: bytearray, pool: Sequence[bytes]) -> bytearray:
    """A field of 1, 2, 4 or 8 bytes as somebody changes it who takes it for a length, a count or a type."""
    size = min(rng.choice((1, 1, 2, 2, 4, 4, 8)), len(data))
    at = rng.randrange(len(data) - size + 1)
    order: Literal["big", "little"] = rng.choice(_ORDERS)
    value = int.from_bytes(data[at : at + size], order)
    top = 1 << 8 * size
    changed = rng.choice(
        (value + 1, value - 1, 0, 1, top - 1, top >> 1, (top >> 1) - 1, len(data), len(data) - at, value * 2, value ^ 1)
    )
    data[at : at + size] = (changed % top).to_bytes(size, order)
    return data


def _digits(rng: random.Random, data: bytearray, pool: Sequence[bytes]) -> bytearray:
    """A number written in digits, as another one."""
    places = [at for at in (rng.randrange(len(data)) for _ in range(32)) if 0x30 <= data[at] <= 0x39]
    if places:
        other = (b"-1", b"0", b"9" * 5000, b"1e999", b"1e-9", b"99999999999999999999", b"0x1", b"00", b"1.5")
        data[places[0] : places[0] + 1] = rng.choice(other)
    return data


def _armour(rng: random.Random, data: bytearray, pool: Sequence[bytes]) -> bytes:
    """Hex or base64 around everything, sound or not."""
    how = rng.randrange(6)
    if how == 0:
        return data.hex().encode()
    if how == 1:
        return b"0x" + data.hex().upper().encode() + b"\n"
    text = base64.encodebytes(data) if how == 2 else base64.b64encode(data, b"-_" if how == 3 else None)
    return text.rstrip(b"=") if how == 4 else text[: rng.randrange(len(text) + 1)] if how == 5 else text


def _noise(rng: random.Random, data: bytearray, pool: Sequence[bytes]) -> bytes:
    size = rng.choice((0, 1, 4, 16, 100, len(data)))
    return bytes(data[: rng.choice((0, 2, 8))]) + rng.randbytes(size)


def _document(rng: random.Random, data: bytearray, pool: Sequence[bytes]) -> bytes | bytearray:
    """JSON by its structure; other content as a number."""
    if bytes(data.lstrip()[:1]) not in (b"{", b"["):
        return _number(rng, data, pool)
    return edit_document(rng, bytes(data)) or _digits(rng, data, pool)


MUTATIONS: dict[str, tuple[int, Mutation]] = {
    "bits flipped": (20, _flip),
    "bytes overwritten": (8, _overwrite),
    "truncated": (6, _cut),
    "extended": (6, _extend),
    "bytes inserted": (6, _insert),
    "bytes removed": (6, _remove),
    "stretch repeated": (6, _repeat),
    "stretch grown": (1, _grow),
    "stretches exchanged": (4, _swap),
    "spliced": (10, _splice),
    "length or number": (16, _number),
    "digits": (3, _digits),
    "armoured": (2, _armour),
    "noise": (2, _noise),
    "structure of JSON": (8, _document),
}
_NAMES = tuple(MUTATIONS)
_WEIGHTS = tuple(weight for weight, _ in MUTATIONS.values())


def mutate(rng: random.Random, data: bytes, pool: Sequence[bytes]) -> tuple[str, bytes]:
    """One to three mutations of `data`; the first one's name, and the mutant."""
    names = rng.choices(_NAMES, _WEIGHTS, k=rng.choice((1, 1, 1, 2, 3)))
    changed: bytes | bytearray = data
    for name in names:
        changed = MUTATIONS[name][1](rng, bytearray(changed), pool) if changed else rng.randbytes(8)
    return names[0], bytes(changed)
