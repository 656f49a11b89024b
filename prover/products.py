# SPDX-License-Identifier: AGPL-3.0-or-later
"""The prover's side of `verifier.proof.products`."""

from __future__ import annotations

import numpy as np

from prover import kernels
from prover.lookup import padded
from prover.messages import Writer
from prover.witness import Witness
from verifier.proof import modular, vectors
from verifier.proof.claims import Evaluated, pieces_of
from verifier.proof.field import Element
from verifier.proof.layout import Block, bits_of
from verifier.proof.modular import Words
from verifier.proof.plan import Product
from verifier.proof.products import round_weights
from verifier.proof.transcript import Transcript


def prove_products(writer: Writer, transcript: Transcript, witness: Witness) -> list[Evaluated]:
    """Send every product's sumcheck; returns the claims."""
    evaluated: list[Evaluated] = []
    for product in witness.plan.products:
        evaluated += _prove(writer, transcript, witness, product)
    return evaluated


def _prove(writer: Writer, transcript: Transcript, witness: Witness, product: Product) -> list[Evaluated]:
    point = transcript.challenges("product point", sum(bits_of(d) for d in product.rows))
    block = Block(product.shape, 0)
    operands = [
        modular.from_integers(padded(witness.rows(e, product.shape), block)) for e in (product.left, product.right)
    ]
    v = np.stack([operands[0], np.zeros_like(operands[0]), operands[1], np.zeros_like(operands[1])])
    eq, size = _weights(product, point), v.shape[1]
    value = vectors.dot(vectors.times(eq, operands[0]), vectors.embed(operands[1]))
    writer.elements("product result", [value], transcript)
    reached = []
    for coordinate in round_weights(product, point):
        eq = _drop(eq, coordinate is None)
        sums = kernels.product_round(v[:2], v[2:], size, eq)
        at_zero, at_one, leading = (kernels.settle(sums, 4 * k) for k in range(3))
        writer.elements("product", [at_zero, at_one, leading], transcript)
        r = transcript.challenge("product")
        kernels.bind(v, size, np.array(r, np.uint64))
        size >>= 1
        reached.append(r)
    left, right = ((int(v[2 * i, 0]), int(v[2 * i + 1, 0])) for i in range(2))
    writer.elements("product operands", [left, right], transcript)
    return [
        Evaluated(product.result, product.rows, pieces_of(point, product.rows), value),
        Evaluated(product.left, product.shape, pieces_of(reached, product.shape), left),
        Evaluated(product.right, product.shape, pieces_of(reached, product.shape), right),
    ]


def _weights(product: Product, point: list[Element]) -> Words:
    """eq over the variables of rows, 1 along summed axes: [2, padded size]."""
    pieces, out = pieces_of(point, product.rows), vectors.embed(np.ones(1, np.uint64))
    for axis, size in enumerate(product.shape):
        length = 1 << bits_of(size)
        if axis in product.summed:
            part = vectors.embed(np.ones(length, np.uint64))
        else:
            part = vectors.eq_vector(pieces[axis], length)
        out = vectors.outer(out, part)
    return out


def _drop(eq: Words, summed: bool) -> Words:
    """The weights of the variables behind the highest one."""
    half = eq.shape[1] >> 1
    if summed:
        return np.ascontiguousarray(eq[:, :half])
    return np.stack([modular.add(eq[i, :half], eq[i, half:]) for i in range(2)])

