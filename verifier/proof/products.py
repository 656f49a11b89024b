# SPDX-License-Identifier: AGPL-3.0-or-later
"""Products of computed values: one sumcheck per gate.

::

    result(sigma_0) = sum over x of eq(sigma_0, rows of x) * left(x) * right(x)     at a random point sigma_0
    after the rounds: left(sigma) * right(sigma) = the last claim

Variables of a summed axis have no eq factor: their rounds say g_i(0) + g_i(1) = claim.
"""

from __future__ import annotations

from verifier.errors import RejectedError
from verifier.proof.claims import Evaluated, pieces_of
from verifier.proof.field import Element, mul
from verifier.proof.layout import bits_of
from verifier.proof.plan import Plan, Product
from verifier.proof.sumcheck import check_weighted
from verifier.proof.transcript import Transcript
from verifier.proof.wire import Reader


def round_weights(product: Product, point: list[Element]) -> list[Element | None]:
    """Per variable of the joint shape: the coordinate of the row point, or None on summed axes."""
    pieces = pieces_of(point, product.rows)
    weights: list[Element | None] = []
    for axis, size in enumerate(product.shape):
        weights += [None] * bits_of(size) if axis in product.summed else list(pieces[axis])
    return weights


def check_products(reader: Reader, transcript: Transcript, plan: Plan) -> list[Evaluated]:
    """Three claims per product gate.  Raises RejectedError proof.product.*."""
    evaluated = []
    for product in plan.products:
        point = transcript.challenges("product point", sum(bits_of(d) for d in product.rows))
        (value,) = sent = reader.elements(1, "product result")
        transcript.absorb_elements("product result", sent)
        reached, claim = check_weighted(reader, transcript, value, round_weights(product, point), "product")
        left, right = sent = reader.elements(2, "product operands")
        if mul(left, right) != claim:
            raise RejectedError("proof.product.operands", "the operands do not multiply to the last claim")
        transcript.absorb_elements("product operands", sent)
        evaluated += [
            Evaluated(product.result, product.rows, pieces_of(point, product.rows), value),
            Evaluated(product.left, product.shape, pieces_of(reached, product.shape), left),
            Evaluated(product.right, product.shape, pieces_of(reached, product.shape), right),
        ]
    return evaluated
