# SPDX-License-Identifier: AGPL-3.0-or-later
"""Succinct arguments that ``outputs = circuit(inputs)``: the protocol ``proof@v1``, and its verifier.

::

    commit      Z = all committed columns: inputs, outputs of non-linear gates, limbs, selectors, multiplicities
    lookups     sum 1/(alpha - f) - sum m/(alpha - t) = 0               every looked-up row is in its table
    products    result(sigma) = sum_x eq(sigma, x) left(x) right(x)     mul, matmul, softmax
    claims      all of this, linear gates and public tensors included, is <Z, W> = value for one functional W
    inner       sumcheck: Z(zeta) * W(zeta) = value'
    opening     Z(zeta) from the commitment

A tensor that a linear gate makes is never committed: a claim on it is pushed backwards through the gate, at the cost of
folding its weights once.  So a layer costs a few lookups per activation and nothing per multiplication.  The argument
is not zero-knowledge: a proof says things about activations that the outputs don't.

==================================  ================================================================================
module                              holds
==================================  ================================================================================
verify                              ``verify_proof``: bytes in, ``ProofFinding`` or typed error out
statement                           what is absorbed first; the plan of a circuit, kept
outline                             circuits without their weights, for mode ``committed``
layers, weights                     conv and dense gates in mode ``committed``
plan, gates/, tables, expression    what is committed, looked up and constrained, gate by gate
layout                              blocks of padded axes inside one vector
claims, linear, weight              functionals, and how they go backwards through linear gates
lookup, products, sumcheck          the interactive parts, verifier's side
commitment, merkle                  Reed-Solomon matrix, columns hashed by SHA-256
soundness                           every error term, added up; below 100 bits is refused
field, modular, portable, compiled  Goldilocks and its quadratic extension: scalars, numpy, numba (optional)
vectors                             the faster of the two; exact products with integer matrices in float64 BLAS
transcript, wire                    Fiat-Shamir; canonical bytes
==================================  ================================================================================

It does not check who made the circuit, nor that it approximates any float model.  Pure: no clock, no network, no
environment.  docs/spec/proof-v1.md is the page from which a second verifier could be written.
"""

from verifier.proof.outline import dump_outline, load_outline
from verifier.proof.soundness import account, soundness_bits
from verifier.proof.verify import ProofFinding, verify_proof

__all__ = ["ProofFinding", "account", "dump_outline", "load_outline", "soundness_bits", "verify_proof"]
