# SPDX-License-Identifier: AGPL-3.0-or-later
"""Vectors over F in plain numpy: the meaning of every function that `compiled` makes faster.

An extension array is uint64 of shape [2, ...]: first coordinates, then second ones, all canonical.
"""

from __future__ import annotations

import numpy as np

from verifier.proof import field, modular
from verifier.proof.modular import Words

_FEW_BITS, _FEW = 6, 64
_SEVEN = np.array([field.NON_RESIDUE], np.uint64)


def multiply(a: Words, b: Words) -> Words:
    """Element by element, shapes [2, ...] that broadcast behind the first axis."""
    products = modular.mul(np.stack([a[0], a[1], a[0], a[1]]), np.stack([b[0], b[1], b[1], b[0]]))
    sevenfold = np.stack([modular.mul(_SEVEN, products[1]), products[3]])
    return modular.add(np.stack([products[0], products[2]]), sevenfold)


def outer(a: Words, b: Words) -> Words:
    """a [2, n], b [2, m] -> [2, n*m]."""
    return multiply(a[:, :, None], b[:, None, :]).reshape(2, -1)


def eq_vector(point: Words, length: int) -> Words:
    """eq(point, .) at 0 .. length-1, the first coordinate being the highest bit: point [2, k] -> [2, length]."""
    k = point.shape[1]
    few = min(k, _FEW_BITS)  # numpy's overhead is larger than a few dozen products of Python integers
    entries = [field.ONE]
    for i, r in enumerate(zip(point[0, :few].tolist(), point[1, :few].tolist(), strict=True)):
        highs = [field.mul(e, r) for e in entries]
        entries = [v for e, h in zip(entries, highs, strict=True) for v in (field.sub(e, h), h)]
        entries = entries[: ((length - 1) >> (k - 1 - i)) + 1]
    out = np.array(entries, np.uint64).T
    for i in range(few, k):
        high = multiply(out, point[:, i : i + 1])
        low = np.stack([modular.sub(out[0], high[0]), modular.sub(out[1], high[1])])
        out = np.stack([low, high], axis=2).reshape(2, -1)
        out = out[:, : ((length - 1) >> (k - 1 - i)) + 1]
    return np.ascontiguousarray(out[:, :length])


def dot(a: Words, b: Words) -> Words:
    """sum of a_i * b_i: a, b [2, n] -> [2]."""
    return modular.total(multiply(a, b), axis=1)


def contract(a: Words, b: Words) -> Words:
    """a [2, x, n, y], b [2, n] -> sum over n: [2, x, y]."""
    if a.shape[1] == a.shape[3] == 1 and a.shape[2] <= _FEW:
        total = field.ZERO
        for a0, a1, b0, b1 in zip(*a.reshape(2, -1).tolist(), *b.tolist(), strict=True):
            total = field.add(total, field.mul((a0, a1), (b0, b1)))
        return np.array(total, np.uint64).reshape(2, 1, 1)
    return modular.total(multiply(a, b[:, None, :, None]), axis=2)


def sum_middle(a: Words) -> Words:
    """a [2, x, n, y] -> sum over n: [2, x, y]."""
    return modular.total(a, axis=2)


def matmul(a: Words, b: Words) -> Words:
    """a [2, x, n] @ b [2, n, y] -> [2, x, y]."""
    return modular.total(multiply(a[:, :, :, None], b[:, None, :, :]), axis=2)


def transform(rows: Words, roots: Words) -> None:
    """In place, each row [n]: coefficients in order -> values at w^i in bit-reversed order of i.

    roots holds, one level behind the other from the smallest, the powers w_{2h}^0 .. w_{2h}^(h-1) at h-1 .. 2h-2.
    """
    count, n = rows.shape
    half = n >> 1
    while half:
        view = rows.reshape(count, n // (2 * half), 2, half)
        low, high = view[:, :, 0, :].copy(), view[:, :, 1, :].copy()
        view[:, :, 0, :] = modular.add(low, high)
        view[:, :, 1, :] = modular.mul(modular.sub(low, high), roots[half - 1 : 2 * half - 1])
        half >>= 1
