# SPDX-License-Identifier: AGPL-3.0-or-later
"""Residues as bytes: each in as many little-endian bytes as its modulus has, none at or above its modulus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from fhe.errors import MalformedError

Limbs: TypeAlias = npt.NDArray[np.uint64]


def width(modulus: int) -> int:
    """Bytes of one residue."""
    return (modulus.bit_length() + 7) // 8


def dump_residues(limbs: Limbs, moduli: Sequence[int]) -> bytes:
    """uint64 [..., k, n], residues below `moduli` [k] -> bytes, in C order."""
    n = limbs.shape[-1]
    rows = np.ascontiguousarray(limbs).reshape(-1, len(moduli), n)
    parts = [
        rows[:, i].astype("<u8", copy=False).reshape(-1, n, 1).view(np.uint8)[..., : width(q)].reshape(len(rows), -1)
        for i, q in enumerate(moduli)
    ]
    return np.concatenate(parts, axis=1).tobytes()


def parse_residues(data: memoryview, rows: int, moduli: Sequence[int], n: int) -> Limbs:
    """Bytes of exactly the right length -> uint64 [rows, k, n].

    Raises MalformedError (``fhe.residue.range``) for a residue at or above its modulus.
    """
    limbs = np.zeros((rows, len(moduli), n), np.uint64)
    raw = np.frombuffer(data, np.uint8).reshape(rows, -1)
    at = 0
    for i, q in enumerate(moduli):
        size = width(q)
        wide = np.zeros((rows, n, 8), np.uint8)
        wide[..., :size] = raw[:, at : at + n * size].reshape(rows, n, size)
        limbs[:, i] = wide.view("<u8")[..., 0]
        if rows and int(limbs[:, i].max()) >= q:
            raise MalformedError("fhe.residue.range", f"a residue of {int(limbs[:, i].max())}; required below {q}")
        at += n * size
    return limbs
