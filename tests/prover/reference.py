# SPDX-License-Identifier: AGPL-3.0-or-later
"""What every compiled loop of the prover means, one Python integer at a time.

Arguments and effects are the kernels': what one writes in place is written in place here.  Entries of extension arrays
[2, ...] are read and written as elements.  Sums are returned as elements, not as digits.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from verifier.proof.field import ZERO, Element, P, add, interpolate, mul, root_of_unity, sub
from verifier.proof.field import scale as times

Array = np.ndarray[Any, Any]


def get(array: Array, *at: int) -> Element:
    """Entry of an extension array."""
    return int(array[(0, *at)]), int(array[(1, *at)])


def put(array: Array, at: tuple[int, ...], value: Element) -> None:
    """The same, written."""
    array[(0, *at)], array[(1, *at)] = value


def element(pair: Array) -> Element:
    """[2] as an element."""
    return int(pair[0]), int(pair[1])


def total(terms: list[Element]) -> Element:
    """The sum."""
    out = ZERO
    for term in terms:
        out = add(out, term)
    return out


def residue(value):
    """value mod p"""
    return value % P


def fill_leaves(q, offset, one, two, valid, alpha, gamma, tag, idle, first, last):
    """alpha - (one + gamma two + tag) where valid, idle elsewhere."""
    for i in range(first, last):
        row = add((int(one[i]) % P, 0), element(tag))
        if len(two):
            row = add(row, times(element(gamma), int(two[i])))
        put(q, (offset + i,), sub(element(alpha), row) if valid[i] else element(idle))


def add_leaves(p, q, up_p, up_q, first, last):
    """a/b + c/d = (a d + c b) / (b d) for residues a, c"""
    for j in range(first, last):
        a, b, c, d = (int(p[0, j]), 0), get(q, 0, j), (int(p[1, j]), 0), get(q, 1, j)
        put(up_p, (j,), add(mul(a, d), mul(c, b)))
        put(up_q, (j,), mul(b, d))


def add_fractions(p, q, up_p, up_q, first, last):
    """a/b + c/d = (a d + c b) / (b d)"""
    for j in range(first, last):
        a, b, c, d = get(p, 0, j), get(q, 0, j), get(p, 1, j), get(q, 1, j)
        put(up_p, (j,), add(mul(a, d), mul(c, b)))
        put(up_q, (j,), mul(b, d))


def start_leaves(p, q, mix, out, first, last):
    """p_high + mix q_high for residues p"""
    for j in range(first, last):
        put(out, (0, j), add((int(p[1, j]), 0), mul(element(mix), get(q, 1, j))))


def start_level(p, q, mix, first, last):
    """p_high + mix q_high, in the place of p_high"""
    for j in range(first, last):
        put(p, (1, j), add(get(p, 1, j), mul(element(mix), get(q, 1, j))))


def leaf_round(d, q, size, eq, first, last):
    """eq (q_high + q_low d) at 0, and its leading coefficient."""
    h, zero, leading = size // 2, list[Element](), list[Element]()
    for j in range(first, last):
        zero.append(mul(get(eq, j), add(get(q, 1, j), mul(get(q, 0, j), get(d, 0, j)))))
        leading.append(mul(get(eq, j), mul(_step(q, 0, h, j), _step(d, 0, h, j))))
    return [total(zero), total(leading)]


def leaf_low(d, q, eq, first, last):
    """eq (q_high + q_low d) at 0; nothing leads."""
    zero = [mul(get(eq, j), add(get(q, 1, j), mul(get(q, 0, j), get(d, 0, j)))) for j in range(first, last)]
    return [total(zero), ZERO]


def fraction_round(p, q, size, eq, first, last):
    """eq (p_low q_high + q_low p_high) at 0, and its leading coefficient."""
    h, zero, leading = size // 2, list[Element](), list[Element]()
    for j in range(first, last):
        low = add(mul(get(p, 0, j), get(q, 1, j)), mul(get(q, 0, j), get(p, 1, j)))
        steps = add(mul(_step(p, 0, h, j), _step(q, 1, h, j)), mul(_step(q, 0, h, j), _step(p, 1, h, j)))
        zero.append(mul(get(eq, j), low))
        leading.append(mul(get(eq, j), steps))
    return [total(zero), total(leading)]


def fraction_step(v, q, size, filled, r, eq, first, last):
    """Both bound at every index, eq summed, then the round of what is left: `filled` only says what may be left out."""
    quarter = size // 4
    for j in range(first, last):
        for at in (j, j + quarter):
            bind(v, v.shape[1], size, r, at, at + 1)
            bind(q, 2, size, r, at, at + 1)
        put(eq, (j,), add(get(eq, j), get(eq, quarter + j)))
    rounds = leaf_round if v.shape[1] == 1 else fraction_round
    return rounds(v, q, size // 2, eq, first, last)


def product_round(v, size, eq):
    """eq a b at 0, at 1, and its leading coefficient."""
    h, zero, one, leading = size // 2, list[Element](), list[Element](), list[Element]()
    for j in range(h):
        zero.append(mul(get(eq, j), mul(get(v, 0, j), get(v, 1, j))))
        one.append(mul(get(eq, j), mul(get(v, 0, h + j), get(v, 1, h + j))))
        leading.append(mul(get(eq, j), mul(_step(v, 0, h, j), _step(v, 1, h, j))))
    return [total(zero), total(one), total(leading)]


def bind(v, count, size, r, first, last):
    """x + r (x' - x)"""
    for k in range(count):
        for j in range(first, last):
            put(v, (k, j), interpolate(get(v, k, j), get(v, k, size // 2 + j), element(r)))


def first_round(z, w, size, first, last):
    """z w at 0, and its leading coefficient, for residues z"""
    return inner_round(_both(z, w), size, first, last)


def first_bind(z, w, size, r, out, first, last):
    """Both bound, with zeros behind their ends."""
    h, both = size // 2, _both(z, w)
    for k in range(2):
        for j in range(first, last):
            high = get(both, k, h + j) if h + j < len(z) else ZERO
            put(out, (k, j), interpolate(get(both, k, j), high, element(r)))


def first_low(z, w, first, last):
    """z w, twice, for residues z"""
    return inner_low(_both(z, w), first, last)


def inner_round(v, size, first, last):
    """z w at 0, and its leading coefficient."""
    h = size // 2
    zero = [mul(get(v, 0, j), get(v, 1, j)) for j in range(first, last)]
    leading = [mul(_step(v, 0, h, j), _step(v, 1, h, j)) for j in range(first, last)]
    return [total(zero), total(leading)]


def inner_low(v, first, last):
    """z w, which leads as well where z' = w' = 0"""
    both = total([mul(get(v, 0, j), get(v, 1, j)) for j in range(first, last)])
    return [both, both]


def scale(v, factor, first, last):
    """factor x"""
    for k in range(v.shape[1]):
        for j in range(first, last):
            put(v, (k, j), mul(element(factor), get(v, k, j)))


def outer(out, a, b, first, last):
    """a_i b_j"""
    n = b.shape[1]
    for i in range(first, last):
        for j in range(n):
            put(out, (i * n + j,), mul(get(a, i), get(b, j)))


def add_outer(out, offset, a, b, first, last):
    """out + a_i b_j"""
    n = b.shape[1]
    for i in range(first, last):
        for j in range(n):
            at = offset + i * n + j
            put(out, (at,), add(get(out, at), mul(get(a, i), get(b, j))))


def combine_rows(matrix, coefficients, out, first, last):
    """out + sum of coefficient_i row_i"""
    for j in range(first, last):
        terms = [times(get(coefficients, i), int(matrix[i, j])) for i in range(len(matrix))]
        put(out, (j,), add(get(out, j), total(terms)))


def combine_columns(columns, coefficients, out, first, last):
    """sum of coefficient_i entry_i, per column"""
    for j in range(first, last):
        put(out, (j,), total([times(get(coefficients, i), int(x)) for i, x in enumerate(columns[j])]))


def encode_columns(matrix, powers, roots, out, first, last):
    """Row i as a polynomial, its values at g^s w^rev(j) for cosets s; powers and roots follow from their definition."""
    cosets, size = powers.shape
    bits = (size - 1).bit_length()
    g, w = root_of_unity(bits + (cosets - 1).bit_length()), root_of_unity(bits)
    for s in range(cosets):
        for j in range(size):
            x = pow(g, s, P) * pow(w, _reversed(j, bits), P) % P
            for i in range(first, last):
                out[s * size + j, i] = _value(matrix[i], x)


def _transform(work, roots):
    """Column i as a polynomial, its values at w^rev(j), in its place."""
    bits = (len(work) - 1).bit_length()
    coefficients = work.copy()
    for j in range(len(work)):
        for i in range(work.shape[1]):
            work[j, i] = _value(coefficients[:, i], pow(root_of_unity(bits), _reversed(j, bits), P))


def _swap(x):
    """The bytes in the other order."""
    return int.from_bytes(int(x).to_bytes(4, "little"), "big")


def _digests(messages, suffix, out, first, last, initial):
    """SHA-256(message || suffix byte); `initial` follows from its definition."""
    for i in range(first, last):
        out[i] = np.frombuffer(hashlib.sha256(messages[i].tobytes() + bytes([suffix])).digest(), "<u4")


def _step(v: Array, k: int, h: int, j: int) -> Element:
    return sub(get(v, k, h + j), get(v, k, j))


def _both(z: Array, w: Array) -> Array:
    """Residues z [n] and w [2, n] as one array [2, 2, n]."""
    return np.stack([np.stack([z, np.zeros_like(z)]), w], axis=1)


def _reversed(j: int, bits: int) -> int:
    return int(format(j, f"0{bits}b")[::-1], 2) if bits else 0


def _value(polynomial: Array, x: int) -> int:
    return sum(int(c) * pow(x, e, P) for e, c in enumerate(polynomial)) % P
