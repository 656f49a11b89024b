# SPDX-License-Identifier: AGPL-3.0-or-later
"""How likely a false statement is accepted: every error term, added up.

The bound is on the interactive protocol, with the verifier's challenges drawn at random; Fiat-Shamir turns each try of
a cheating prover into a hash evaluation (SHA-256 as a random oracle).  All terms are proven bounds: proximity is
argued inside the unique-decoding radius, without any conjecture on list decoding.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log2

from verifier.errors import UnsupportedError
from verifier.proof.claims import tau_length
from verifier.proof.commitment import QUERIES, RATE_BITS, Code
from verifier.proof.field import EXTENSION_BITS
from verifier.proof.layers import layers_of
from verifier.proof.layout import bits_of
from verifier.proof.plan import Plan

REQUIRED_BITS = 100
MAX_QUERIES = 200
"""From here on queries are the smaller part of any error that matters: 2^-135."""


@dataclass(frozen=True)
class Term:
    """One source of error: its probability is at most `error`."""

    name: str
    error: float


def account(plan: Plan, code: Code, weights: Code | None, queries: int) -> tuple[Term, ...]:
    """The error terms of a proof of this plan with so many queries; `weights` is the code of committed weights."""
    field = 2.0**-EXTENSION_BITS
    levels = plan.log_leaves
    terms = [
        Term("queries: columns differ unseen", ((1 + 2.0**-RATE_BITS) / 2) ** queries),
        Term("proximity gap: rows * block length", code.rows * (1 << code.log_positions) * field),
        Term("inner product: degree 2 per round", 2 * code.log_length * field),
        Term("combining claims: degree of the combination", (claim_count(plan) - 1) * field),
        Term("constraints and public tensors at a point", tau_length(plan) * field),
        Term("hash collisions", 2.0**-128),
    ]
    if plan.lookups:
        terms += [
            Term("lookup identity: total degree in alpha and gamma", 2 * (1 << levels) * field),
            Term("lookup levels: mix and child", 2 * levels * field),
            Term("lookup rounds: degree 3", 3 * (levels * (levels - 1) // 2) * field),
        ]
    for product in plan.products:
        row_bits = sum(bits_of(d) for d in product.rows)
        rounds = sum(bits_of(d) for d in (*product.common, product.inner))
        terms.append(Term(f"product {product.name}: point and rounds of degree 3", (row_bits + 3 * rounds) * field))
    if weights is not None:
        layers = layers_of(plan)
        terms += [
            Term("queries to the weights", ((1 + 2.0**-RATE_BITS) / 2) ** queries),
            Term("proximity gap of the weights", weights.rows * (1 << weights.log_positions) * field),
            Term("inner product with the weights", 2 * weights.log_length * field),
            Term("combining claims on the weights", 2 * len(layers) * field),
        ]
        for layer in layers:
            row_bits = sum(bits_of(d) for d in layer.split_rows)
            rounds = sum(bits_of(d) for d in layer.summed)
            terms.append(
                Term(f"layer {layer.gate.name}: point and rounds of degree 3", (row_bits + 3 * rounds) * field)
            )
    return tuple(terms)


def claim_count(plan: Plan) -> int:
    """Number of claims that are combined."""
    layers = 2 * len(layers_of(plan)) if plan.mode == "committed" else 0
    public = len(plan.circuit.inputs) + len(plan.circuit.outputs)
    return 2 * bool(plan.lookups) + 3 * len(plan.products) + layers + len(plan.constraints) + public


def soundness_bits(terms: tuple[Term, ...]) -> float:
    """-log2 of the sum of all errors."""
    return -log2(sum(term.error for term in terms))


def require(plan: Plan, code: Code, weights: Code | None = None) -> tuple[int, float]:
    """The fewest queries, from 150 on, with which there are 100 bits; and the bits.

    Raises UnsupportedError (proof.soundness.too-low) where no number of queries is enough: the field is too small.
    """
    bits = 0.0
    for queries in range(QUERIES, MAX_QUERIES + 1):
        bits = soundness_bits(account(plan, code, weights, queries))
        if bits >= REQUIRED_BITS:
            return queries, bits
    raise UnsupportedError(
        "proof.soundness.too-low",
        f"a proof of this size has {bits:.1f} bits of soundness; required {REQUIRED_BITS}",
        remedy="prove a smaller batch",
    )
