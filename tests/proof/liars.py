# SPDX-License-Identifier: AGPL-3.0-or-later
"""Provers' parts that lie where the truth would be rejected, in plain Python integers; see `cheating`.

An error that is carried on is always chosen so that challenges from {2, 3, ..., size + 1} may cancel it: a round's
error s (x - r)(x - r') has two roots there, a line one.  Which of the chances are taken is the caller's choice; the
roots of those that aren't lie outside of the set.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from prover.messages import Writer
from prover.witness import Witness
from verifier.proof import vectors
from verifier.proof.claims import Evaluated
from verifier.proof.expression import Expression, Shape
from verifier.proof.field import (
    ONE,
    ZERO,
    Element,
    P,
    add,
    eq_bits,
    interpolate,
    inverse,
    mul,
    quadratic,
    sub,
)
from verifier.proof.layout import bits_of
from verifier.proof.lookup import LeafClaim
from verifier.proof.modular import Words
from verifier.proof.products import operand_claims
from verifier.proof.transcript import Transcript
from verifier.proof.weight import Integers

Elements = list[Element]
OUTSIDE: Element = (P - 5, 3)
"""No challenge of a reduced run."""


def total(terms: Elements) -> Element:
    """The sum."""
    found = ZERO
    for term in terms:
        found = add(found, term)
    return found


def bound(values: Elements, r: Element) -> Elements:
    """The highest variable set to r."""
    half = len(values) // 2
    return [interpolate(a, b, r) for a, b in zip(values[:half], values[half:], strict=True)]


def fractions(
    *, rounds: bool = False, children: bool = False, mixes: bool = False, merge: bool = False
) -> Callable[[Writer, Transcript, Words, Words, int, int], LeafClaim]:
    """In the place of `prover.lookup.prove_fractions`, for leaves whose fractions do not add up to zero.

    What is known of the numerators is ignored: all leaves are fractions like any other.

    Args:
        rounds: two roots per round.
        children: one root per level, for where the line through two children is evaluated.
        mixes: one root per level but the last, for how numerator and denominator are combined.
        merge: one root for how the claims on the leaves are combined.
    """

    def prove(writer: Writer, transcript: Transcript, p: Words, q: Words, counted: int, used: int) -> LeafClaim:
        levels = [([(int(x), 0) for x in p], vectors.elements(q))]
        while len(levels[-1][0]) > 2:
            (a, b), half = levels[-1], len(levels[-1][0]) // 2
            up_p = [add(mul(a[j], b[half + j]), mul(a[half + j], b[j])) for j in range(half)]
            levels.append((up_p, [mul(b[j], b[half + j]) for j in range(half)]))
        (p0, p1), (q0, q1) = levels.pop()
        claim, mix, point = ZERO, ZERO, Elements()
        label, last = "lookup root", False
        while True:
            last = not levels
            error = sub(claim, add(mul(p0, q1), mul(q0, add(p1, mul(mix, q1)))))
            if error != ZERO:
                p0, p1, q0 = _children(p0, p1, q0, q1, mix, error, last)
            writer.elements(label, [p0, p1, q0, q1], transcript)
            t = transcript.challenge("lookup child")
            point = [t, *point]
            p_claim, q_claim = interpolate(p0, p1, t), interpolate(q0, q1, t)
            if last:
                return LeafClaim(point, p_claim, q_claim)
            mix = transcript.challenge("lookup mix")
            claim = add(p_claim, mul(mix, q_claim))
            claim, point, (p0, p1, q0, q1) = _rounds(writer, transcript, *levels.pop(), mix, claim, point)
            label = "lookup children"

    def _children(
        p0: Element, p1: Element, q0: Element, q1: Element, mix: Element, error: Element, last: bool
    ) -> tuple[Element, Element, Element]:
        """Children that give what the truth misses by `error`."""
        if (merge and last) or (mixes and not last):
            # p0 + a and q0 + b: between levels a + c b = 0 for the mix c; the leaves' claims are alpha - q and p,
            # in this order, so there b = c a for the next power c of the claims' mix.
            c: Element = (7, 0)
            other = add(p1, mul(mix, q1))
            if last:
                a = mul(error, inverse(add(q1, mul(c, other))))
                return add(p0, a), p1, add(q0, mul(c, a))
            b = mul(error, inverse(sub(other, mul(c, q1))))
            return sub(p0, mul(c, b)), p1, add(q0, b)
        root: Element = (11, 0) if children else OUTSIDE  # the error of p is e (t - root)
        e = mul(error, inverse(sub(mul(sub(ONE, root), q0), mul(root, q1))))
        return sub(p0, mul(e, root)), add(p1, mul(e, sub(ONE, root))), q0

    def _rounds(
        writer: Writer, transcript: Transcript, p: Elements, q: Elements, mix: Element, claim: Element, point: Elements
    ) -> tuple[Element, Elements, tuple[Element, Element, Element, Element]]:
        half = len(p) // 2
        arrays = [p[:half], q[half:], q[:half], [add(x, mul(mix, y)) for x, y in zip(p[half:], q[half:], strict=True)]]
        reached = Elements()
        for i, coordinate in enumerate(point):
            width = len(arrays[0]) // 2
            eqs = [eq_bits(point[i + 1 :], j) for j in range(width)]
            lows, highs = [a[:width] for a in arrays], [a[width:] for a in arrays]
            steps = [[sub(h, l) for l, h in zip(low, high, strict=True)] for low, high in zip(lows, highs, strict=True)]
            at_zero, at_one, leading = (
                total([mul(eqs[j], add(mul(a[j], b[j]), mul(c[j], d[j]))) for j in range(width)])
                for a, b, c, d in (lows, highs, steps)
            )
            error = sub(claim, interpolate(at_zero, at_one, coordinate))
            if error != ZERO:
                r, s = ((19, 0), (23, 0)) if rounds else (OUTSIDE, (P - 9, 4))
                message = (at_zero, at_one, leading)
                at_zero, at_one, leading = map(add, message, planted(error, coordinate, r, s))
            writer.elements("lookup", [at_zero, at_one, leading], transcript)
            r = transcript.challenge("lookup")
            claim = quadratic(at_zero, at_one, leading, r)
            arrays = [bound(a, r) for a in arrays]
            reached.append(r)
        p0, q1, q0, combined = (a[0] for a in arrays)
        return claim, reached, (p0, sub(combined, mul(mix, q1)), q0, q1)

    return prove


def planted(error: Element, coordinate: Element, r: Element, s: Element) -> tuple[Element, Element, Element]:
    """At 0, at 1 and as leading coefficient: the multiple of (X - r)(X - s) that a false claim lacks."""
    zero, one = mul(r, s), mul(sub(ONE, r), sub(ONE, s))
    scale = mul(error, inverse(interpolate(zero, one, coordinate)))
    return mul(scale, zero), mul(scale, one), scale


def products() -> Callable[[Writer, Transcript, Witness], list[Evaluated]]:
    """In the place of `prover.products.prove_products`, for elementwise products with a wrong committed result."""

    def prove(writer: Writer, transcript: Transcript, witness: Witness) -> list[Evaluated]:
        (product,) = witness.plan.products
        point = transcript.challenges("product point", sum(bits_of(d) for d in product.rows))

        def flat(expression: Expression) -> Elements:
            return [(int(x) % P, 0) for x in _cube(witness.rows(expression, product.rows), product.rows).reshape(-1)]

        left, right, result = flat(product.left), flat(product.right), flat(product.result)
        claim = value = total([mul(eq_bits(point, j), x) for j, x in enumerate(result)])
        writer.elements("product result", [value], transcript)
        reached = Elements()
        for i, coordinate in enumerate(point):
            half = len(left) // 2
            eqs = [eq_bits(point[i + 1 :], j) for j in range(half)]
            at_zero, at_one, leading = (
                total([mul(e, mul(x, y)) for e, x, y in zip(eqs, a, b, strict=True)])
                for a, b in (
                    (left[:half], right[:half]),
                    (left[half:], right[half:]),
                    (_steps(left, half), _steps(right, half)),
                )
            )
            error = sub(claim, interpolate(at_zero, at_one, coordinate))
            if error != ZERO:
                message = (at_zero, at_one, leading)
                at_zero, at_one, leading = map(add, message, planted(error, coordinate, (19, 0), (23, 0)))
            writer.elements("product", [at_zero, at_one, leading], transcript)
            r = transcript.challenge("product")
            claim = quadratic(at_zero, at_one, leading, r)
            left, right = bound(left, r), bound(right, r)
            reached.append(r)
        operands = [left[0], mul(claim, inverse(left[0]))]  # true ones, once the error is gone
        writer.elements("product operands", operands, transcript)
        return operand_claims(product, point, reached, [value, *operands])

    return prove


def _cube(array: Integers, shape: Shape) -> Integers:
    """With zeros behind every axis up to a power of two."""
    return np.pad(np.broadcast_to(array, shape), [(0, (1 << bits_of(d)) - d) for d in shape])


def _steps(values: Elements, half: int) -> Elements:
    return [sub(high, low) for low, high in zip(values[:half], values[half:], strict=True)]


def inner_product(size: int) -> Callable[..., Elements]:
    """In the place of `prover.inner_product.prove_inner_product`, for a claim that is not true: two roots per round."""

    def prove(
        writer: Writer,
        transcript: Transcript,
        vector: Words,
        weights: Words,
        log_length: int,
        claim: Element,
        label: str,
    ) -> Elements:
        def lie(error: Element) -> tuple[Element, Element]:
            r, s = (2 + size // 2, 0), (3 + size // 2, 0)
            both = add(mul(r, s), mul(sub(ONE, r), sub(ONE, s)))
            scale = mul(error, inverse(both))
            return mul(scale, mul(r, s)), scale

        return inner_rounds(writer, transcript, vector, weights, log_length, claim, label, lie)[0]

    return prove


def inner_rounds(
    writer: Writer,
    transcript: Transcript,
    vector: Words,
    weights: Words,
    log_length: int,
    claim: Element,
    label: str,
    lie: Callable[[Element], tuple[Element, Element]],
) -> tuple[Elements, Element, Element]:
    """The rounds; `lie` says what to add to g(0) and to the leading coefficient.  Point, last claim, weight there."""
    rest = [ZERO] * ((1 << log_length) - len(vector))
    v: Elements = [(int(x), 0) for x in vector] + rest
    w = vectors.elements(weights) + rest
    point = Elements()
    for _ in range(log_length):
        half = len(v) // 2
        at_zero = total([mul(v[j], w[j]) for j in range(half)])
        at_one = total([mul(v[half + j], w[half + j]) for j in range(half)])
        leading = total([mul(sub(v[half + j], v[j]), sub(w[half + j], w[j])) for j in range(half)])
        error = sub(claim, add(at_zero, at_one))
        if error != ZERO:
            more, scale = lie(error)
            at_zero, leading = add(at_zero, more), add(leading, scale)
        writer.elements(label, [at_zero, leading], transcript)
        r = transcript.challenge(label)
        claim = quadratic(at_zero, sub(claim, at_zero), leading, r)
        v, w = bound(v, r), bound(w, r)
        point.append(r)
    return point, claim, w[0]
