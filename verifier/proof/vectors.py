# SPDX-License-Identifier: AGPL-3.0-or-later
"""Vectors and small tensors over F: the two backends behind one name, and products with integer matrices.

An extension array is uint64 of shape [2, ...].  `fold` multiplies one by a matrix of integers with float64 BLAS: the
coordinates are cut into limbs of 16 bits, so that every partial sum is an integer below 2^53 and hence exact.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from verifier.proof import modular, portable
from verifier.proof.field import Element, P, eq_bits, root_of_unity
from verifier.proof.modular import Words

compiled: Any = portable  # both modules have the same functions
# Without numba, or without a folder for its cache, the verifier is slower, not different.
with contextlib.suppress(ImportError, RuntimeError):
    from verifier.proof import compiled as _compiled

    compiled = _compiled

_LIMB = 16
_EXACT = 1 << 53
_PIECE = 20


def element(words: Words) -> Element:
    """[2] -> element."""
    return int(words[0]), int(words[1])


def array(elements: Sequence[Element]) -> Words:
    """n elements -> [2, n]."""
    return np.array(elements, dtype=np.uint64).reshape(-1, 2).T.copy()


def elements(words: Words) -> list[Element]:
    """[2, n] -> n elements."""
    return list(zip(words[0].tolist(), words[1].tolist(), strict=True))


def embed(words: Words) -> Words:
    """Residues [...] as extension array [2, ...]."""
    return np.stack([words, np.zeros_like(words)])


def eq_vector(point: Sequence[Element], length: int) -> Words:
    """eq(point, .) at 0 .. length-1, length <= 2^len(point): [2, length].  The first coordinate is the highest bit."""
    return cast(Words, compiled.eq_vector(array(point), length))


def eq_run(point: Sequence[Element], start: int, length: int) -> Words:
    """eq(point, .) at start .. start+length-1, all below 2^len(point): [2, length]."""
    bits = min(len(point), (length - 1).bit_length())
    low, pieces = eq_vector(point[len(point) - bits :], 1 << bits), []
    at, end = start, start + length
    while at < end:
        block, first = at >> bits, at & ((1 << bits) - 1)
        taken = min(end - at, (1 << bits) - first)
        pieces.append(scaled(low[:, first : first + taken], eq_bits(point[: len(point) - bits], block)))
        at += taken
    return np.ascontiguousarray(np.concatenate(pieces, axis=1))


def scaled(values: Words, factor: Element) -> Words:
    """factor * values, any shape [2, ...]."""
    flat = np.ascontiguousarray(values).reshape(2, -1)
    return cast(Words, compiled.outer(array([factor]), flat).reshape(values.shape))


def times(values: Words, words: Words) -> Words:
    """Each entry times a residue: values [2, ...], words broadcast against [...]."""
    return np.stack([modular.mul(values[0], words), modular.mul(values[1], words)])


def plus(a: Words, b: Words) -> Words:
    """a + b"""
    return modular.add(a, b)


def dot(a: Words, b: Words) -> Element:
    """sum of a_i * b_i over extension vectors [2, n]."""
    return element(compiled.dot(np.ascontiguousarray(a), np.ascontiguousarray(b)))


def total(a: Words) -> Element:
    """Sum of all entries of [2, ...]."""
    return element(sum_axis(a.reshape(2, -1), 0))


def sum_axis(a: Words, axis: int) -> Words:
    """Sum along an axis of the entries: a [2, ...], axis counted behind the first."""
    shape = a.shape[1:]
    return cast(
        Words,
        compiled.sum_middle(np.ascontiguousarray(a).reshape(2, prod(shape[:axis]), shape[axis], -1)).reshape(
            2, *shape[:axis], *shape[axis + 1 :]
        ),
    )


def contract(values: Words, axis: int, vector: Words) -> Words:
    """values [2, d_0, ...], vector [2, d_axis] -> the axis summed away against the vector."""
    shape = values.shape[1:]
    cube = np.ascontiguousarray(values).reshape(2, prod(shape[:axis]), shape[axis], -1)
    return cast(Words, compiled.contract(cube, vector).reshape(2, *shape[:axis], *shape[axis + 1 :]))


def outer(a: Words, b: Words) -> Words:
    """a [2, ...x], b [2, ...y] -> [2, ...x, ...y]."""
    flat_a, flat_b = (np.ascontiguousarray(v).reshape(2, -1) for v in (a, b))
    return cast(Words, compiled.outer(flat_a, flat_b).reshape(2, *a.shape[1:], *b.shape[1:]))


def matmul(a: Words, b: Words) -> Words:
    """a [2, x, n] @ b [2, n, y] -> [2, x, y]."""
    return cast(Words, compiled.matmul(np.ascontiguousarray(a), np.ascontiguousarray(b)))


def fold(values: Words, matrix: npt.NDArray[np.float64] | npt.NDArray[np.int64], largest: int) -> Words:
    """values [2, x, n] times an integer matrix [n, y] whose entries are at most `largest` in magnitude: [2, x, y].

    float64 matrices must have `largest * n` below 2^37; any others are int64, and are cut into pieces of 20 bits.
    """
    _, x, n = values.shape
    if largest * n >= _EXACT >> _LIMB:
        if n >= 1 << (53 - _LIMB - _PIECE):
            half = n // 2
            return plus(
                fold(values[:, :, :half], matrix[:half], largest),
                fold(values[:, :, half:], matrix[half:], largest),
            )
        whole = matrix.astype(np.int64)
        low = whole & ((1 << _PIECE) - 1)
        upper = fold(values, whole >> _PIECE, (largest >> _PIECE) + 1)
        shifted = times(upper, np.array([1 << _PIECE], np.uint64))
        return plus(shifted, fold(values, low.astype(np.float64), 1 << _PIECE))
    words = np.ascontiguousarray(values, dtype="<u8")
    limbs = words.view("<u2").reshape(2 * x, n, 4).transpose(2, 0, 1).astype(np.float64)
    product = limbs.reshape(8 * x, n) @ matrix.astype(np.float64, copy=False)
    parts = modular.from_integers(product.astype(np.int64)).reshape(4, 2, x, -1)
    base = np.array([1 << _LIMB], np.uint64)
    out = parts[3]
    for i in (2, 1, 0):
        out = modular.add(modular.mul(out, base), parts[i])
    return cast(Words, out)


def fold_exact(values: Words, matrix: npt.NDArray[np.int64]) -> Words:
    """`fold` for a matrix whose magnitude is not known beforehand."""
    largest = max(abs(int(matrix.max())), abs(int(matrix.min())), 1) if matrix.size else 1
    return fold(values, matrix, largest)


@lru_cache(maxsize=32)
def roots(log_size: int) -> Words:
    """Twiddle factors of `transform` for rows of 2^log_size, smallest level first: [2^log_size - 1]."""
    levels = []
    for level in range(1, log_size + 1):
        root, powers = root_of_unity(level), np.ones(1, np.uint64)
        for k in range(level - 1):  # doubling: w^0 .. w^(2^k - 1), then times w^(2^k)
            step = np.array([pow(root, 1 << k, P)], np.uint64)
            powers = np.concatenate([powers, modular.mul(powers, step)])
        levels.append(powers)
    out = np.concatenate(levels) if levels else np.ones(0, np.uint64)
    out.setflags(write=False)
    return out


def transform(rows: Words) -> Words:
    """Rows of coefficients [count, 2^k] -> values at the 2^k-th roots of unity, bit-reversed.  Works in place."""
    compiled.transform(rows, roots((rows.shape[1] - 1).bit_length()))
    return rows


def canonical(words: Words) -> bool:
    """Whether every word is below p."""
    return bool((words < np.uint64(P)).all())
