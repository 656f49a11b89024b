# SPDX-License-Identifier: AGPL-3.0-or-later
"""What every compiled loop of `prover.kernels` means, one Python integer at a time.

Arguments and effects are the kernels': what one writes in place is written in place here.  Extension arrays [2, n]
are read and written as lists of elements.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from verifier.proof.field import ZERO, Element, P, add, mul, root_of_unity, scale, sub

Array = np.ndarray[Any, Any]
MASK = (1 << 32) - 1


def get(array: Array, at: int) -> Element:
    """Entry of an extension array."""
    return int(array[0, at]), int(array[1, at])


def put(array: Array, at: int, value: Element) -> None:
    """The same, written."""
    array[0, at], array[1, at] = value


def element(pair: Array) -> Element:
    """[2] as an element."""
    return int(pair[0]), int(pair[1])


def halves(*sums: list[Element]) -> Array:
    """Per list of elements the sums of low and of high halves of both coordinates."""
    out = []
    for terms in sums:
        for k in range(2):
            out += [sum(t[k] & MASK for t in terms), sum(t[k] >> 32 for t in terms)]
    return np.array(out, np.uint64)


def fill_leaves(q, offset, first, second, valid, alpha, gamma, tag):
    """alpha - (first + gamma second + tag) where valid, alpha elsewhere."""
    for i in range(len(first)):
        row = add((int(first[i]), 0), element(tag))
        if len(second):
            row = add(row, scale(element(gamma), int(second[i])))
        put(q, offset + i, sub(element(alpha), row) if valid[i] else element(alpha))


def add_fractions(p, q, up_p, up_q, first, last):
    """a/b + c/d = (a d + c b) / (b d)"""
    m = up_p.shape[1]
    for j in range(first, last):
        a, b, c, d = get(p, j), get(q, j), get(p, m + j), get(q, m + j)
        put(up_p, j, add(mul(a, d), mul(c, b)))
        put(up_q, j, mul(b, d))


def start_level(p, q, mix, out, first, last):
    """p_low, q_high, q_low, p_high + mix q_high"""
    m = out.shape[1]
    for j in range(first, last):
        values = (get(p, j), get(q, m + j), get(q, j), add(get(p, m + j), mul(element(mix), get(q, m + j))))
        for k, value in enumerate(values):
            put(out[2 * k : 2 * k + 2], j, value)


def _rows(v: Array, j: int) -> list[Element]:
    return [get(v[k : k + 2], j) for k in range(0, len(v), 2)]


def _steps(v: Array, h: int, j: int) -> list[Element]:
    return [sub(x, y) for x, y in zip(_rows(v, h + j), _rows(v, j), strict=True)]


def fraction_round(v, size, eq, first, last):
    """eq (a b + c d) at 0, and its leading coefficient."""
    h, zero, leading = size // 2, list[Element](), list[Element]()
    for j in range(first, last):
        for values, out in ((_rows(v, j), zero), (_steps(v, h, j), leading)):
            a, b, c, d = values
            out.append(mul(get(eq, j), add(mul(a, b), mul(c, d))))
    return halves(zero, leading)


def product_round(a, b, size, eq):
    """eq a b at 0, at 1, and its leading coefficient."""
    h, zero, one, leading = size // 2, list[Element](), list[Element](), list[Element]()
    for j in range(h):
        weight, x, y, u, v = get(eq, j), get(a, j), get(b, j), get(a, h + j), get(b, h + j)
        zero.append(mul(weight, mul(x, y)))
        one.append(mul(weight, mul(u, v)))
        leading.append(mul(weight, mul(sub(u, x), sub(v, y))))
    return halves(zero, one, leading)


def inner_round(v, size, first, last):
    """z w at 0, and its leading coefficient."""
    h, zero, leading = size // 2, list[Element](), list[Element]()
    for j in range(first, last):
        zero.append(mul(*_rows(v, j)))
        leading.append(mul(*_steps(v, h, j)))
    return halves(zero, leading)


def inner_low(v, first, last):
    """z w"""
    return halves([mul(*_rows(v, j)) for j in range(first, last)])


def bind(v, size, r, first, last):
    """x + r (x' - x)"""
    h = size // 2
    for j in range(first, last):
        for k, (low, step) in enumerate(zip(_rows(v, j), _steps(v, h, j), strict=True)):
            put(v[2 * k : 2 * k + 2], j, add(low, mul(element(r), step)))


def halve(eq, size):
    """The highest variable summed away, `size` being what is left."""
    for j in range(size // 2):
        put(eq, j, add(get(eq, j), get(eq, size // 2 + j)))


def scale_rows(v, factor, first, last):
    """factor x"""
    for k in range(0, len(v), 2):
        for j in range(first, last):
            put(v[k : k + 2], j, mul(element(factor), get(v[k : k + 2], j)))


def accumulate(out, values):
    """out + values"""
    for j in range(out.shape[1]):
        put(out, j, add(get(out, j), get(values, j)))


def combine_rows(matrix, coefficients, out, first, last):
    """out + sum of coefficient_i row_i"""
    for j in range(first, last):
        total = get(out, j)
        for i in range(len(matrix)):
            total = add(total, scale(get(coefficients, i), int(matrix[i, j])))
        put(out, j, total)


def combine_columns(columns, coefficients, out, first, last):
    """sum of coefficient_i entry_i, per column"""
    for j in range(first, last):
        total = ZERO
        for i in range(columns.shape[1]):
            total = add(total, scale(get(coefficients, i), int(columns[j, i])))
        put(out, j, total)


def encode_columns(matrix, powers, roots, out, first, last):
    """Row i as a polynomial, its values at g^s w^rev(j) for cosets s; powers and roots follow from their definition."""
    cosets, size = powers.shape
    bits = (size - 1).bit_length()
    g, w = root_of_unity(bits + (cosets - 1).bit_length()), root_of_unity(bits)
    for s in range(cosets):
        for j in range(size):
            x = pow(g, s, P) * pow(w, int(format(j, f"0{bits}b")[::-1], 2) if bits else 0, P) % P
            for i in range(first, last):
                out[s * size + j, i] = sum(int(c) * pow(x, e, P) for e, c in enumerate(matrix[i])) % P
