# SPDX-License-Identifier: AGPL-3.0-or-later
"""Products of computed values: one sumcheck per gate.

::

    result(beta, i, j) = sum over x, k of eq(beta, x) * left(x, i, k) * right(x, k, j)      at a random (beta, i, j)
    after the rounds over x and k: left(sigma, i, kappa) * right(sigma, kappa, j) = the last claim

x runs over the axes that both operands share, k over the inner axis of a matrix product; an elementwise product has no
i, j, k.  Variables of k have no eq factor: their rounds say g(0) + g(1) = claim.
"""

from __future__ import annotations

from collections.abc import Sequence

from verifier.errors import RejectedError
from verifier.proof.claims import Evaluated, evaluated_at
from verifier.proof.field import Element, mul
from verifier.proof.layout import bits_of
from verifier.proof.plan import Plan, Product
from verifier.proof.sumcheck import check_weighted
from verifier.proof.transcript import Transcript
from verifier.proof.wire import Reader


def cut(product: Product, point: Sequence[Element]) -> tuple[list[Element], list[Element], list[Element]]:
    """A point of the result's rows as beta, i and j."""
    common = sum(bits_of(d) for d in product.common)
    rows = bits_of(product.matrix[0]) if product.matrix else 0
    return list(point[:common]), list(point[common : common + rows]), list(point[common + rows :])


def operand_claims(
    product: Product, point: Sequence[Element], reached: Sequence[Element], values: Sequence[Element]
) -> list[Evaluated]:
    """The claims on result, left and right that the rounds leave behind."""
    beta, i, j = cut(product, point)
    sigma, kappa = list(reached[: len(beta)]), list(reached[len(beta) :])
    result, left, right = values
    return [
        evaluated_at(product.result, product.rows, point, result),
        evaluated_at(product.left, product.left_shape, [*sigma, *i, *kappa], left),
        evaluated_at(product.right, product.right_shape, [*sigma, *kappa, *j], right),
    ]


def check_products(reader: Reader, transcript: Transcript, plan: Plan) -> list[Evaluated]:
    """Three claims per product gate.  Raises RejectedError proof.product.*."""
    evaluated = []
    for product in plan.products:
        point = transcript.challenges("product point", sum(bits_of(d) for d in product.rows))
        (value,) = sent = reader.elements(1, "product result")
        transcript.absorb_elements("product result", sent)
        weights = [*cut(product, point)[0], *[None] * bits_of(product.inner)]
        reached, claim = check_weighted(reader, transcript, value, weights, "product")
        left, right = sent = reader.elements(2, "product operands")
        if mul(left, right) != claim:
            raise RejectedError("proof.product.operands", "the operands do not multiply to the last claim")
        transcript.absorb_elements("product operands", sent)
        evaluated += operand_claims(product, point, reached, (value, left, right))
    return evaluated
