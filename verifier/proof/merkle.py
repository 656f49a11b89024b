# SPDX-License-Identifier: AGPL-3.0-or-later
"""Merkle tree over 2^k leaves, opened at several positions at once.

::

    leaf = SHA-256(data || 0x00)        node = SHA-256(left || right || 0x01)

An opening holds, level by level from the leaves, the siblings that the opened positions don't give themselves, in
increasing order of position.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence


def leaf(data: bytes | memoryview) -> bytes:
    """Hash of a leaf."""
    digest = hashlib.sha256(data)
    digest.update(b"\0")
    return digest.digest()


def node(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node."""
    return hashlib.sha256(left + right + b"\1").digest()


def root_of(positions: Sequence[int], leaves: Sequence[bytes], depth: int, sibling: Callable[[], bytes]) -> bytes:
    """Root from sorted distinct positions, their leaf hashes, and the siblings as `sibling` hands them out."""
    level = dict(zip(positions, leaves, strict=True))
    for _ in range(depth):
        above: dict[int, bytes] = {}
        for position, own in level.items():  # insertion order is increasing
            if position >> 1 in above:
                continue
            if position & 1:
                above[position >> 1] = node(sibling(), own)
            else:
                right = level.get(position | 1)
                above[position >> 1] = node(own, sibling() if right is None else right)
        level = above
    return level[0]


def siblings_needed(positions: Sequence[int], depth: int) -> list[tuple[int, int]]:
    """(level, position) of the siblings that an opening holds, in its order; level 0 are the leaves."""
    needed, level = [], list(positions)
    for height in range(depth):
        present = set(level)
        needed += [(height, p ^ 1) for p in level if p ^ 1 not in present]
        level = sorted({p >> 1 for p in level})
    return needed
