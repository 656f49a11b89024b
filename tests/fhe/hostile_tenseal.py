# SPDX-License-Identifier: AGPL-3.0-or-later
"""Mutants of what TenSEAL serialises: truncated, flipped, bombs, other parameters, secret keys, others' parts."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from functools import cache
from importlib import import_module

import fhe
from fhe.protobuf import tagged, varint
from tests.fhe.making import linear, mlp
from tests.fhe.tenseal_side import Asked, ask

MAGIC = b"\x5e\xa1\x10\x04"


@cache
def asked() -> tuple[Asked, ...]:
    """A request of each kind: a tensor without keys, one with them, protected, in CKKS, a vector."""
    return tuple(
        ask(plan)
        for plan in (
            fhe.plan(linear((6, 3), 15, 7), samples=8, preset="batch-lin"),
            fhe.plan(mlp((2, 2, 1), 3, 3), samples=4, preset="batch-mlp-exact"),
            fhe.plan(linear((3, 2), 3, 3), samples=4, preset="batch-mlp-exact", private=True),
            fhe.plan(mlp((3, 2, 2), 7, 3), samples=4, preset="batch-mlp-ckks"),
            fhe.plan(mlp((4, 2, 2), 3, 3), preset="mlp1"),
        )
    )


@cache
def parts() -> tuple[bytes, ...]:
    """Things to send in place of others: contexts with secret keys or of other parameters, other objects."""
    ts, first = import_module("tenseal"), asked()[0]
    foreign = ts.context(ts.SCHEME_TYPE.CKKS, 4096, coeff_mod_bit_sizes=[40, 20, 40])
    foreign.global_scale = 2.0**20
    return (
        first.tenseal.serialize(save_secret_key=True),
        asked()[3].tenseal.serialize(save_public_key=False, save_relin_keys=False, save_secret_key=True),
        foreign.serialize(),
        ts.ckks_vector(foreign, [1.0, 2.0]).serialize(),
        ts.bfv_vector(first.tenseal, [1, 2, 3]).serialize(),
        ts.bfv_tensor(first.tenseal, ts.plain_tensor([[1, 2], [3, 4]]), batch=False).serialize(),
    )


@cache
def bombs() -> tuple[bytes, ...]:
    """SEAL objects that open to far more than they are, or say that they do."""
    compressor = import_module("zstandard").ZstdCompressor
    silent = compressor(write_content_size=False).compressobj()
    streams = (
        compressor().compress(bytes(1 << 26)),
        silent.compress(bytes(1 << 24)) + silent.flush(),
        b"\x28\xb5\x2f\xfd\xe0" + b"\xff" * 8 + b"\x01\x00\x00",  # a frame header that claims 2^64 - 1 bytes
    )
    return tuple(struct.pack("<HBBBBHQ", 0xA15E, 16, 4, 3, 2, 0, 16 + len(body)) + body for body in streams)


def _flipped(data: bytes, rng: random.Random) -> bytes:
    body = bytearray(data)
    for _ in range(rng.randrange(1, 5)):  # half of them near the front, where the structure is
        body[rng.choice((rng.randrange(min(200, len(body))), rng.randrange(len(body))))] ^= 1 << rng.randrange(8)
    return bytes(body)


def _header(data: bytes, rng: random.Random) -> bytes:
    """One byte of a SEAL header that is somewhere in the message."""
    places = [i for i in range(min(len(data), 1 << 16)) if data.startswith(MAGIC, i)] or [0]
    at = rng.choice(places) + rng.randrange(16)
    return data[:at] + bytes([rng.choice((0, 1, 2, 3, 127, 255))]) + data[at + 1 :]


def _bomb(data: bytes, rng: random.Random) -> bytes:
    """A bomb in place of the first object, or as one of the tensor's ciphertexts."""
    bomb = rng.choice(bombs())
    if rng.random() < 0.5:
        return tagged(1, bomb) + data
    return data[:3] + tagged(2, bomb) * rng.randrange(1, 8) + b"\x18\x04"


def _lengths(data: bytes, rng: random.Random) -> bytes:
    """Numbers that are far too large, where the message has lengths."""
    number = varint(rng.choice((0, 1, 1 << 20, 1 << 31, 1 << 62)))
    return data[: rng.randrange(1, min(64, len(data)))] + number + data[rng.randrange(1, len(data)) :]


def _spliced(data: bytes, rng: random.Random) -> bytes:
    other = rng.choice(parts())
    return data[: rng.randrange(len(data))] + other[rng.randrange(len(other)) :]


_CHANGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flipped,
    _header,
    _bomb,
    _lengths,
    _spliced,
    lambda data, rng: data[: rng.randrange(len(data))],
    lambda data, rng: data + rng.randbytes(rng.randrange(1, 64)),
    lambda data, rng: data + data,
    lambda data, rng: rng.choice(parts()),
    lambda data, rng: data + tagged(3, tagged(1, rng.randbytes(64))),  # a private part behind everything
    lambda data, rng: b"\x0a" * rng.randrange(1, 100_000),  # nothing but field 1
    lambda data, rng: b"\x0a\x01\x04" + b"\x12\x00" * rng.randrange(1, 100_000),  # thousands of empty ciphertexts
)


def mutated(data: bytes, rng: random.Random) -> bytes:
    """One change that means something to a TenSEAL message."""
    return rng.choice(_CHANGES)(data, rng)
