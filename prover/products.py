# SPDX-License-Identifier: AGPL-3.0-or-later
"""The prover's side of `verifier.proof.products`."""

from __future__ import annotations

import numpy as np

from prover import kernels
from prover.messages import Writer
from prover.witness import Witness
from verifier.proof import compiled, modular, vectors
from verifier.proof.claims import Evaluated
from verifier.proof.expression import Shape
from verifier.proof.field import Element
from verifier.proof.layout import bits_of
from verifier.proof.modular import Words
from verifier.proof.plan import Product
from verifier.proof.products import cut, operand_claims
from verifier.proof.transcript import Transcript
from verifier.proof.weight import Integers


def prove_products(writer: Writer, transcript: Transcript, witness: Witness) -> list[Evaluated]:
    """Send every product's sumcheck; returns the claims."""
    evaluated: list[Evaluated] = []
    for product in witness.plan.products:
        evaluated += _prove(writer, transcript, witness, product)
    return evaluated


def _prove(writer: Writer, transcript: Transcript, witness: Witness, product: Product) -> list[Evaluated]:
    point = transcript.challenges("product point", sum(bits_of(d) for d in product.rows))
    beta, i, j = cut(product, point)
    left = witness.rows(product.left, product.left_shape)
    right = witness.rows(product.right, product.right_shape)
    if product.matrix:
        left_words = _folded(np.moveaxis(left, -2, 0), i)
        right_words = _folded(np.moveaxis(right, -1, 0), j)
    else:
        left_words, right_words = (vectors.embed(modular.from_integers(x)) for x in (left, right))
    shape = (*product.common, product.inner)
    v = np.stack([cube(left_words, shape), cube(right_words, shape)], axis=1)
    eq = _weights(beta, bits_of(product.inner))
    value = vectors.dot(compiled.multiply(eq, np.ascontiguousarray(v[:, 0])), v[:, 1])
    writer.elements("product result", [value], transcript)
    reached = bound_rounds(writer, transcript, v, eq, len(beta), "product")
    at_left, at_right = vectors.elements(v[:, :, 0])
    writer.elements("product operands", [at_left, at_right], transcript)
    return operand_claims(product, point, reached, (value, at_left, at_right))


def bound_rounds(
    writer: Writer, transcript: Transcript, v: Words, eq: Words, weighted: int, label: str
) -> list[Element]:
    """Rounds over sum of eq * left * right, v [2, 2, n] = left, right; only the first `weighted` variables have eq."""
    size, reached = v.shape[2], list[Element]()
    for variable in range((size - 1).bit_length()):
        eq = _drop(eq, variable >= weighted)
        writer.elements(label, kernels.settle([kernels.product_round(v, size, eq)]), transcript)
        r = transcript.challenge(label)
        kernels.bind(v, 2, size, np.array(r, np.uint64), 0, size >> 1)
        size >>= 1
        reached.append(r)
    return reached


def _folded(array: Integers, point: list[Element]) -> Words:
    """sum over the first axis against eq(point, .): [2, *rest]."""
    matrix = np.ascontiguousarray(array).reshape(len(array), -1)
    folded = vectors.fold_exact(vectors.eq_vector(point, len(array))[:, None], matrix)
    return folded.reshape(2, *array.shape[1:])


def cube(words: Words, shape: Shape) -> Words:
    """[2, *shape] with every axis padded to a power of two: [2, size]."""
    out = np.zeros((2, *(1 << bits_of(d) for d in shape)), np.uint64)
    out[(slice(None), *(slice(d) for d in shape))] = words.reshape(2, *shape)
    return out.reshape(2, -1)


def _weights(beta: list[Element], inner_bits: int) -> Words:
    """eq over the common variables, constant over the inner ones."""
    eq = vectors.eq_vector(beta, 1 << len(beta))
    return np.repeat(eq, 1 << inner_bits, axis=1)


def _drop(eq: Words, summed: bool) -> Words:
    """The weights of the variables behind the highest one."""
    half = eq.shape[1] >> 1
    if summed:
        return np.ascontiguousarray(eq[:, :half])
    return np.stack([modular.add(eq[i, :half], eq[i, half:]) for i in range(2)])
