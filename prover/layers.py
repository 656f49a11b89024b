# SPDX-License-Identifier: AGPL-3.0-or-later
"""The prover's side of `verifier.proof.layers` and `verifier.proof.weights`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from circuits import Circuit
from circuits.derivation import site_of
from prover.inner_product import prove_inner_product
from prover.lookup import padded
from prover.messages import Writer
from prover.opening import Committed, commit, open_at
from prover.products import bound_rounds
from prover.witness import Witness, read
from verifier.proof import modular, vectors
from verifier.proof.claims import Evaluated
from verifier.proof.expression import Tap
from verifier.proof.layers import Layer, Point, WeightClaim, at_point, layer_claims, layers_of, weight_view
from verifier.proof.layout import Block, bits_of
from verifier.proof.linear import Matrices
from verifier.proof.modular import Words
from verifier.proof.transcript import Transcript
from verifier.proof.weight import Integers
from verifier.proof.weights import WeightLayout, combined, weight_layout


@dataclass(frozen=True, eq=False)
class WeightsCommitment:
    """The weights' vector under its commitment; `root` is what the verifier needs (empty without weights)."""

    layout: WeightLayout
    vector: Words
    committed: Committed | None

    @property
    def root(self) -> bytes:
        """32 bytes."""
        return bytes(32) if self.committed is None else self.committed.root


@lru_cache(maxsize=4)
def commit_weights(circuit: Circuit) -> WeightsCommitment:
    """Commit to the weights and biases of every conv and dense gate.  Made once per circuit, and kept."""
    layout = weight_layout(circuit)
    if layout.code is None:
        return WeightsCommitment(layout, np.zeros(1, np.uint64), None)
    words = weights_vector(circuit, layout)
    return WeightsCommitment(layout, words, commit(words, layout.code))


def weights_vector(circuit: Circuit, layout: WeightLayout) -> Words:
    """All weights and biases in their blocks, as residues: [layout.code.length]."""
    vector = np.zeros(0 if layout.code is None else layout.code.length, np.int64)
    slot = 0
    for gate in circuit.gates:
        if gate.kind in ("conv", "dense"):
            site = site_of(gate, circuit.tensors, circuit.constants)
            weights = site.constants[0].T if gate.kind == "dense" else site.constants[0]
            for array in (np.ascontiguousarray(weights).reshape(weight_view(site)), site.constants[1]):
                flat = padded(array, layout.blocks[slot])
                vector[layout.blocks[slot].offset :][: flat.size] = flat
                slot += 1
    return modular.from_integers(vector)


def prove_layers(
    writer: Writer, transcript: Transcript, witness: Witness, matrices: Matrices
) -> tuple[list[Evaluated], list[WeightClaim]]:
    """Send every layer's sumcheck; returns the claims."""
    evaluated: list[Evaluated] = []
    weights: list[WeightClaim] = []
    for layer in layers_of(witness.plan):
        more, claims = _prove(writer, transcript, witness, matrices, layer)
        evaluated += more
        weights += claims
    return evaluated, weights


def _prove(
    writer: Writer, transcript: Transcript, witness: Witness, matrices: Matrices, layer: Layer
) -> tuple[list[Evaluated], list[WeightClaim]]:
    at = at_point(layer, transcript.challenges("layer point", sum(bits_of(d) for d in layer.split_rows)))
    bias_constant = layer.site.constants[1]
    folded_x = _folded_input(layer, at, witness.tensors[layer.gate.inputs[0]])
    folded_w = _folded_weights(layer, at, matrices)
    y = _against(witness.tensors[layer.gate.output], at.vectors)
    bias = _against(bias_constant, (at.vectors[layer.channel],))
    writer.elements("layer output", [y, bias], transcript)
    block = Block(layer.summed, 0)
    v = np.concatenate([_in_block(folded_x, block), _in_block(folded_w, block)])
    eq = vectors.eq_vector(at.group, 1 << len(at.group))
    eq = np.repeat(eq, 1 << (block.bits - len(at.group)), axis=1)
    reached = bound_rounds(writer, transcript, v, eq, len(at.group), "layer")
    x, w = ((int(v[2 * k, 0]), int(v[2 * k + 1, 0])) for k in range(2))
    writer.elements("layer operands", [x, w], transcript)
    return layer_claims(layer, witness.plan, at, reached, (y, bias, x, w))


def _in_block(words: Words, block: Block) -> Words:
    return np.stack([padded(words[k].reshape(block.shape), block) for k in range(2)])


def _against(array: Integers, eqs: Sequence[Words]) -> tuple[int, int]:
    """sum of array * prod_a eqs[a]"""
    rest: Words | None = None
    for axis, eq in enumerate(eqs):
        if rest is None:
            rest = vectors.fold_exact(eq[:, None], np.ascontiguousarray(array).reshape(len(array), -1))[:, 0]
        else:
            rest = vectors.contract(rest.reshape(2, array.shape[axis], -1), 0, eq)
    return vectors.element(np.ones((2, 1), np.uint64) if rest is None else rest.reshape(2))


def _folded_input(layer: Layer, at: Point, x: Integers) -> Words:
    """X of `verifier.proof.layers`: [2, g, c', *taps]."""
    batch = vectors.fold_exact(at.vectors[0][:, None], np.ascontiguousarray(x).reshape(len(x), -1))[:, 0]
    current = batch.reshape(2, *x.shape[1:])
    if layer.site.kind == "dense":
        for axis in range(1, layer.channel):
            current = vectors.contract(current, 0, at.vectors[axis])
        return current.reshape(2, *layer.summed)
    site = layer.site
    strides, pads, dilations = (site.integers(n) for n in ("strides", "pads", "dilations"))
    for axis, kernel in enumerate(layer.view[3:]):  # each spatial axis becomes an axis of taps, moved to the end
        label = 2 + axis
        rows = layer.rows[label]
        slices = []
        for k in range(kernel):
            tap = Tap(2, strides[axis], k * dilations[axis] - pads[axis])
            moved = read(current.view(np.int64), [tap], (0, 0, rows)).view(np.uint64)
            slices.append(vectors.contract(moved, 1, at.vectors[label]))
        current = np.stack(slices, axis=-1)
    return current.reshape(2, *layer.summed)


def _folded_weights(layer: Layer, at: Point, matrices: Matrices) -> Words:
    """W of `verifier.proof.layers`: [2, g, c', *taps]."""
    weights, groups, members = layer.site.constants[0], *layer.view[:2]

    def grouped() -> Integers:
        turned = weights.T if layer.site.kind == "dense" else weights
        return np.ascontiguousarray(turned).reshape(groups, members, -1)

    matrix, largest = matrices.get(("layer", layer.gate.name), grouped)
    member = vectors.eq_vector(at.member, members)[:, None]
    folded = [vectors.fold(member, part, largest)[:, 0] for part in matrix]
    return np.stack(folded, axis=1).reshape(2, *layer.summed)


def prove_weights(
    writer: Writer, transcript: Transcript, weights: WeightsCommitment, claims: Sequence[WeightClaim]
) -> None:
    """Discharge the claims on the committed weights."""
    if weights.committed is None:
        return
    code = weights.committed.code
    scaled, value = combined(claims, transcript.challenge("weights mix"))
    out = np.zeros((2, len(weights.vector)), np.uint64)
    for claim in scaled:
        block = weights.layout.blocks[claim.slot]
        view = out[:, block.offset : block.offset + (1 << block.bits)].reshape(2, *block.padded)
        view[(slice(None), *(slice(d) for d in block.shape))] = claim.weight.explicit(len(block.shape))
    point = prove_inner_product(writer, transcript, weights.vector, out, code.log_length, value, "weights")
    open_at(weights.committed, writer, transcript, point)
