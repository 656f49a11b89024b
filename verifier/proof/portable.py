# SPDX-License-Identifier: AGPL-3.0-or-later
"""Vectors over F in plain numpy: the meaning of every function that `compiled` makes faster.

An extension array is uint64 of shape [2, ...]: first coordinates, then second ones, all canonical.
"""

from __future__ import annotations

import numpy as np

from verifier.proof import modular
from verifier.proof.field import NON_RESIDUE
from verifier.proof.modular import Words

_SEVEN = np.array([NON_RESIDUE], np.uint64)


def multiply(a: Words, b: Words) -> Words:
    """Element by element, shapes [2, ...] that broadcast behind the first axis."""
    first = modular.add(modular.mul(a[0], b[0]), modular.mul(_SEVEN, modular.mul(a[1], b[1])))
    second = modular.add(modular.mul(a[0], b[1]), modular.mul(a[1], b[0]))
    return np.stack([first, second])


def outer(a: Words, b: Words) -> Words:
    """a [2, n], b [2, m] -> [2, n*m]."""
    return multiply(a[:, :, None], b[:, None, :]).reshape(2, -1)


def eq_vector(point: Words, length: int) -> Words:
    """eq(point, .) at 0 .. length-1, the first coordinate being the highest bit: point [2, k] -> [2, length]."""
    out = np.zeros((2, 1), np.uint64)
    out[0, 0] = 1
    k = point.shape[1]
    for i in range(k):
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
