# SPDX-License-Identifier: AGPL-3.0-or-later
"""Proof bytes in, finding or typed error out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from circuits import Circuit
from verifier.errors import RejectedError
from verifier.proof.claims import Challenges, assemble, tau_length, weight_at
from verifier.proof.commitment import check_opening
from verifier.proof.field import mul
from verifier.proof.layers import WeightClaim, check_layers
from verifier.proof.lookup import check_fractions
from verifier.proof.plan import Mode
from verifier.proof.products import check_products
from verifier.proof.statement import open_transcript, prepare, public_tensors
from verifier.proof.sumcheck import check_inner_product
from verifier.proof.weight import Integers
from verifier.proof.weights import check_weights
from verifier.proof.wire import Reader


@dataclass(frozen=True)
class ProofFinding:
    """What a proof that was accepted shows: `outputs = circuit(inputs)` for every gate in `gates`, up to 2^-bits."""

    bits: float
    mode: str
    gates: tuple[str, ...]
    batch: int
    size: int


def verify_proof(
    proof: bytes,
    *,
    circuit: Circuit,
    inputs: Mapping[str, Integers],
    outputs: Mapping[str, Integers],
    context: bytes,
    weights_commitment: bytes | None = None,
) -> ProofFinding:
    """Check that `outputs` are the circuit's on `inputs`.

    `inputs` and `outputs` are int64 [batch, *shape] by port name, `context` 32 bytes that the proof was made for.
    Without `weights_commitment` the caller holds the model, and its weights are what the proof is about.  With it, the
    weights and biases of conv and dense gates in `circuit` are not read (only their shapes): the proof is about those
    under the commitment, 32 bytes that the caller must have from somebody who is trusted to have made them from the
    circuit of that digest.

    Raises:
        MalformedError: proof.wire.*, proof.statement.*: these bytes are no proof, these arrays no statement.
        RejectedError: proof.lookup.*, proof.product.*, proof.layer.*, proof.opening.*, proof.claims.mismatch,
            proof.weights.mismatch, proof.statement.bounds.
        UnsupportedError: proof.gate.unsupported, proof.size.unsupported, proof.soundness.too-low.
    """
    public = public_tensors(circuit, inputs, outputs)
    mode: Mode = "held" if weights_commitment is None else "committed"
    prepared = prepare(circuit, len(public[0].array), mode)
    plan = prepared.plan
    transcript = open_transcript(prepared, public, context, weights_commitment)
    reader = Reader(proof)
    root = reader.take(32, "commitment")
    transcript.absorb("commitment", root)
    alpha = transcript.challenge("alpha")
    gamma = transcript.challenge("gamma")
    leaf = check_fractions(reader, transcript, plan.log_leaves) if plan.lookups else None
    evaluated = check_products(reader, transcript, plan)
    weight_claims: list[WeightClaim] = []
    if mode == "committed":
        more, weight_claims = check_layers(reader, transcript, plan)
        evaluated += more
    tau = tuple(transcript.challenges("tau", tau_length(plan)))
    mix = transcript.challenge("claims mix")
    claims = assemble(plan, prepared.matrices, leaf, Challenges(alpha, gamma, tau, mix), evaluated, public)
    point, required = check_inner_product(reader, transcript, claims.value, prepared.code.log_length, "inner product")
    weight = weight_at(plan, claims.terms, point)
    value = check_opening(reader, transcript, root, prepared.code, point, prepared.queries)
    if weights_commitment is not None:
        check_weights(reader, transcript, prepared.weights, weights_commitment, weight_claims, prepared.queries)
    reader.finish()
    if mul(value, weight) != required:
        raise RejectedError("proof.claims.mismatch", "the committed values do not satisfy the combined claims")
    gates = tuple(gate.name for gate in circuit.gates)
    return ProofFinding(prepared.bits, mode, gates, plan.batch, len(proof))
