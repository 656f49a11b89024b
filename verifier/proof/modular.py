# SPDX-License-Identifier: AGPL-3.0-or-later
"""Goldilocks arithmetic on numpy uint64 arrays, element by element; every value is canonical, 0 <= x < p.

A product of 64-bit words is put together from four products of 32-bit halves and reduced by
2^64 = 2^32 - 1 and 2^96 = -1 (mod p).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from verifier.proof.field import P

Words: TypeAlias = npt.NDArray[np.uint64]

_P = np.uint64(P)
_EPSILON = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


def from_integers(values: npt.NDArray[np.int64]) -> Words:
    """int64 of any sign to residues."""
    words = np.ascontiguousarray(values, dtype=np.int64).view(np.uint64)
    return np.where(values < 0, words + _P, words)  # -v is 2^64 - v as a word; adding p wraps to p - v


def add(a: Words, b: Words) -> Words:
    """a + b"""
    total = a + b
    total = np.where(total < a, total + _EPSILON, total)
    return np.where(total >= _P, total - _P, total)


def sub(a: Words, b: Words) -> Words:
    """a - b"""
    return np.where(a < b, a - b + _P, a - b)


def mul(a: Words, b: Words) -> Words:
    """a * b"""
    a_low, a_high, b_low, b_high = a & _EPSILON, a >> _HALF, b & _EPSILON, b >> _HALF
    low = a_low * b_low
    middle = a_low * b_high + (low >> _HALF)
    cross = a_high * b_low + (middle & _EPSILON)
    high = a_high * b_high + (middle >> _HALF) + (cross >> _HALF)
    return reduce(high, (cross << _HALF) | (low & _EPSILON))


def reduce(high: Words, low: Words) -> Words:
    """high * 2^64 + low modulo p, for any words."""
    top = high >> _HALF
    rest = low - top
    rest = np.where(low < top, rest - _EPSILON, rest)
    product = (high & _EPSILON) * _EPSILON
    total = rest + product
    total = np.where(total < product, total + _EPSILON, total)
    result: Words = np.where(total >= _P, total - _P, total)
    return result


def total(a: Words, axis: int) -> Words:
    """Sum along an axis of fewer than 2^31 entries; `a` has another axis besides."""
    low: Words = np.asarray(np.sum(a & _EPSILON, axis=axis, dtype=np.uint64))
    high: Words = np.asarray(np.sum(a >> _HALF, axis=axis, dtype=np.uint64))
    return add(reduce(high >> _HALF, high << _HALF), reduce(np.zeros_like(low), low))
