# SPDX-License-Identifier: AGPL-3.0-or-later
"""Committed weights: one vector of all weights and biases of a circuit, and the claims on it.

The vector holds, per conv or dense gate in order, the weights as [g, m', c', *taps] (dense: [1, N, K]) and the bias, in
padded blocks as `layout` places them; its commitment is that of `commitment`, made once per model.  Claims on it are
combined by powers of one challenge and reduced to one point by one inner-product sumcheck.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from circuits import Circuit
from circuits.circuit import Shape
from circuits.derivation import site_of
from verifier.errors import RejectedError
from verifier.proof.claims import EqVectors
from verifier.proof.commitment import Code, check_opening, choose_code
from verifier.proof.field import ONE, ZERO, Element, add, mul
from verifier.proof.layers import WeightClaim, weight_view
from verifier.proof.layout import Block, place
from verifier.proof.sumcheck import check_inner_product
from verifier.proof.transcript import Transcript
from verifier.proof.wire import Reader


@dataclass(frozen=True, eq=False)
class WeightLayout:
    """Where each constant lies, and the shape of the commitment; `code` is None for a circuit without weights."""

    blocks: tuple[Block, ...]
    code: Code | None


def weight_layout(circuit: Circuit) -> WeightLayout:
    """A function of the shapes alone."""
    shapes: list[Shape] = []
    for gate in circuit.gates:
        if gate.kind in ("conv", "dense"):
            site = site_of(gate, circuit.tensors, circuit.constants)
            shapes += [weight_view(site), site.constants[1].shape]
    blocks, used = place(shapes)
    return WeightLayout(blocks, choose_code(used) if used else None)


def combined(claims: Sequence[WeightClaim], mix: Element) -> tuple[list[WeightClaim], Element]:
    """The claims times powers of the challenge, and the sum of their values."""
    power, value, scaled = ONE, ZERO, []
    for claim in claims:
        scaled.append(WeightClaim(claim.slot, claim.weight.times(power), claim.value))
        value = add(value, mul(power, claim.value))
        power = mul(power, mix)
    return scaled, value


def check_weights(
    reader: Reader,
    transcript: Transcript,
    layout: WeightLayout,
    root: bytes,
    claims: Sequence[WeightClaim],
    queries: int,
) -> None:
    """Discharge all claims on committed weights.  Raises RejectedError proof.opening.*, proof.weights.mismatch."""
    if layout.code is None:
        return
    scaled, value = combined(claims, transcript.challenge("weights mix"))
    point, required = check_inner_product(reader, transcript, value, layout.code.log_length, "weights")
    eqs, total = EqVectors(), ZERO
    for claim in scaled:
        total = add(total, claim.weight.at(eqs.block(layout.blocks[claim.slot], point)))
    opened = check_opening(reader, transcript, root, layout.code, point, queries)
    if mul(opened, total) != required:
        raise RejectedError("proof.weights.mismatch", "the committed weights do not satisfy the claims on them")
