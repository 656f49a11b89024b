# SPDX-License-Identifier: AGPL-3.0-or-later
"""Commitment to everything a circuit computed (``affidavit@v1``, section 5).

::

    leaf[i] = SHA-256(0x00 || "affidavit/trace@v1" || u8 len(salt) || salt || u32 i || tensor_i)
    node    = SHA-256(0x01 || left || right)        split as in RFC 6962, section 2.1
    root    = the tree over all leaves

``tensor_i`` is the canonical encoding of the circuit's i-th tensor (inputs, every gate's output). The
affidavit carries all leaves (32 bytes a tensor), so a second party that recomputes names the *first* gate
that differs without the node's help. Binding rests on SHA-256 collision resistance (128 bits).
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence

from verifier.errors import MalformedError
from verifier.tensors import IntArray, encode_tensor

LEAF_BYTES = 32
MAX_LEAVES = 1 << 16
_LABEL = b"affidavit/trace@v1"


def leaf(index: int, name: str, array: IntArray, salt: bytes = b"") -> bytes:
    """Digest of the circuit's tensor ``index``; ``array`` has the batch as its first axis."""
    prefix = b"\x00" + _LABEL + struct.pack("<B", len(salt)) + salt + struct.pack("<I", index)
    return hashlib.sha256(prefix + encode_tensor(name, array)).digest()


def leaves(names: Sequence[str], arrays: Sequence[IntArray], salt: bytes = b"") -> Iterator[bytes]:
    """The leaf of every tensor in order."""
    for index, (name, array) in enumerate(zip(names, arrays, strict=True)):
        yield leaf(index, name, array, salt)


def root(digests: Sequence[bytes]) -> bytes:
    """Merkle tree hash over at least one leaf (RFC 6962, 2.1), bottom-up and without recursion."""
    if not digests:
        raise MalformedError("trace.leaves.malformed", "a trace has at least one leaf")
    level = list(digests)
    while len(level) > 1:
        paired = [hashlib.sha256(b"\x01" + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            paired.append(level[-1])
        level = paired
    return level[0]


def split_leaves(data: bytes) -> tuple[bytes, ...]:
    """The trace blob (leaves one behind the other) as a tuple of 32-byte digests."""
    if len(data) % LEAF_BYTES or not 0 < len(data) <= LEAF_BYTES * MAX_LEAVES:
        raise MalformedError(
            "trace.leaves.malformed",
            f"{len(data)} bytes is not 1 to {MAX_LEAVES} digests of {LEAF_BYTES} bytes",
        )
    return tuple(data[i : i + LEAF_BYTES] for i in range(0, len(data), LEAF_BYTES))


def first_difference(claimed: Sequence[bytes], recomputed: Sequence[bytes]) -> int | None:
    """Index of the first tensor whose digest differs, ``None`` when all agree; a length difference counts."""
    for index, (left, right) in enumerate(zip(claimed, recomputed, strict=False)):
        if left != right:
            return index
    return None if len(claimed) == len(recomputed) else min(len(claimed), len(recomputed))
