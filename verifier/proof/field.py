# SPDX-License-Identifier: AGPL-3.0-or-later
"""The field: Goldilocks and its quadratic extension, one element at a time in Python integers.

::

    p = 2^64 - 2^32 + 1          2^32 divides p - 1; 7 generates the multiplicative group
    F = GF(p)[X] / (X^2 - 7)     |F| > 2^127.99; 7 is no square modulo p

An element of F is a pair ``(a, b)`` meaning a + b*X with 0 <= a, b < p.  Integers of a circuit are below 2^53 in
magnitude, so every identity between them holds over the integers if it holds modulo p.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

P = 0xFFFFFFFF00000001
NON_RESIDUE = 7
GENERATOR = 7
TWO_ADICITY = 32
EXTENSION_BITS = 127.99
"""A lower bound of log2 |F|."""

Element: TypeAlias = tuple[int, int]

ZERO: Element = (0, 0)
ONE: Element = (1, 0)


def lift(value: int) -> Element:
    """An integer of any sign as an element."""
    return (value % P, 0)


def add(a: Element, b: Element) -> Element:
    """a + b"""
    return ((a[0] + b[0]) % P, (a[1] + b[1]) % P)


def sub(a: Element, b: Element) -> Element:
    """a - b"""
    return ((a[0] - b[0]) % P, (a[1] - b[1]) % P)


def mul(a: Element, b: Element) -> Element:
    """a * b"""
    a0, a1 = a
    b0, b1 = b
    return ((a0 * b0 + NON_RESIDUE * a1 * b1) % P, (a0 * b1 + a1 * b0) % P)


def scale(a: Element, k: int) -> Element:
    """k * a for an integer k of any sign."""
    return (a[0] * k % P, a[1] * k % P)


def inverse(a: Element) -> Element:
    """1 / a.  Raises ZeroDivisionError for zero."""
    norm = (a[0] * a[0] - NON_RESIDUE * a[1] * a[1]) % P
    if norm == 0:
        raise ZeroDivisionError("zero has no inverse")
    k = pow(norm, P - 2, P)
    return (a[0] * k % P, -a[1] * k % P)


def interpolate(a: Element, b: Element, t: Element) -> Element:
    """(1 - t)*a + t*b: the line through a at 0 and b at 1."""
    return add(a, mul(t, sub(b, a)))


def quadratic(at_zero: Element, at_one: Element, leading: Element, t: Element) -> Element:
    """g(t) for g of degree 2 given by g(0), g(1) and its leading coefficient."""
    middle = sub(sub(at_one, at_zero), leading)
    return add(at_zero, mul(t, add(middle, mul(t, leading))))


def cubic(at_zero: Element, at_one: Element, at_minus_one: Element, leading: Element, t: Element) -> Element:
    """g(t) for g of degree 3 given by g(0), g(1), g(-1) and its leading coefficient."""
    half = (P + 1) // 2
    even = sub(scale(add(at_one, at_minus_one), half), at_zero)
    odd = sub(scale(sub(at_one, at_minus_one), half), leading)
    return add(at_zero, mul(t, add(odd, mul(t, add(even, mul(t, leading))))))


def eq_bits(point: Sequence[Element], index: int) -> Element:
    """eq(point, bits of index), the first coordinate being the most significant bit."""
    result = ONE
    for i, r in enumerate(point):
        bit = index >> (len(point) - 1 - i) & 1
        result = mul(result, r if bit else sub(ONE, r))
    return result


def root_of_unity(log_order: int) -> int:
    """A primitive 2^log_order-th root of unity modulo p, 0 <= log_order <= 32."""
    return pow(GENERATOR, (P - 1) >> log_order, P)
