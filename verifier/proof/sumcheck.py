# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sumcheck rounds, the verifier's side.  Each function returns a claim that the caller must discharge.

Variables are bound from the highest bit down.  A round polynomial is sent by its values at 0 (and 1, where the claim
does not give that one) and its leading coefficient; a polynomial of degree 3 by its value at -1 as well.
"""

from __future__ import annotations

from collections.abc import Sequence

from verifier.errors import RejectedError
from verifier.proof.field import Element, add, interpolate, quadratic, sub
from verifier.proof.transcript import Transcript
from verifier.proof.wire import Reader


def check_inner_product(
    reader: Reader, transcript: Transcript, claim: Element, rounds: int, label: str
) -> tuple[list[Element], Element]:
    """sum over the cube of f*g = claim for multilinear f, g: the point, and what f*g must be there."""
    point = []
    for _ in range(rounds):
        at_zero, leading = sent = reader.elements(2, label)
        transcript.absorb_elements(label, sent)
        r = transcript.challenge(label)
        claim = quadratic(at_zero, sub(claim, at_zero), leading, r)
        point.append(r)
    return point, claim


def check_weighted(
    reader: Reader, transcript: Transcript, claim: Element, at: Sequence[Element | None], label: str
) -> tuple[list[Element], Element]:
    """sum over x of eq(at, x) * g(x) = claim for g of degree 2 in each variable: the point, and what g must be there.

    eq factors by variable, so the rounds speak of g alone: (1 - at_i)*g_i(0) + at_i*g_i(1) = claim.  Where at_i is
    None the variable has no eq factor: g_i(0) + g_i(1) = claim.
    """
    point: list[Element] = []
    for coordinate in at:
        at_zero, at_one, leading = sent = reader.elements(3, label)
        sums = add(at_zero, at_one) if coordinate is None else interpolate(at_zero, at_one, coordinate)
        if sums != claim:
            raise RejectedError(
                f"proof.{label}.round-mismatch",
                f"round {len(point)} does not continue the claim of the round before",
            )
        transcript.absorb_elements(label, sent)
        r = transcript.challenge(label)
        claim = quadratic(at_zero, at_one, leading, r)
        point.append(r)
    return point, claim
