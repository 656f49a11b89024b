# SPDX-License-Identifier: AGPL-3.0-or-later
"""`prove`: an execution in, proof bytes out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from circuits import Circuit, evaluate
from prover import kernels
from prover.inner_product import prove_inner_product
from prover.layers import WeightsCommitment, commit_weights, prove_layers, prove_weights
from prover.lookup import leaves, padded, prove_fractions
from prover.messages import Writer
from prover.opening import commit, open_at
from prover.products import prove_products
from prover.witness import Witness
from verifier.errors import UnsupportedError
from verifier.proof import modular
from verifier.proof.claims import Challenges, assemble, tau_length
from verifier.proof.layers import WeightClaim
from verifier.proof.modular import Words
from verifier.proof.plan import Mode, Plan
from verifier.proof.statement import open_transcript, prepare, public_tensors
from verifier.proof.weight import Integers, Weight


@dataclass(frozen=True)
class Proof:
    """A proof and what it is about; `timings` are seconds by phase, in order, and say nothing to a verifier."""

    bytes: bytes
    outputs: dict[str, Integers]
    soundness_bits: float
    timings: dict[str, float] = field(default_factory=dict)
    marks: tuple[tuple[int, str], ...] = ()


class Clock:
    """Seconds by phase."""

    def __init__(self, progress: Callable[[str], None] | None) -> None:
        self.timings: dict[str, float] = {}
        self._progress = progress
        self._name, self._since = "", time.perf_counter()

    def phase(self, name: str) -> None:
        """End the phase before, begin this one; an empty name begins none."""
        now = time.perf_counter()
        if self._name:
            self.timings[self._name] = self.timings.get(self._name, 0.0) + now - self._since
        self._name, self._since = name, now
        if name and self._progress is not None:
            self._progress(name)


def prove(
    circuit: Circuit,
    inputs: Mapping[str, Integers],
    *,
    context: bytes,
    mode: Mode = "held",
    tensors: Sequence[Integers] | None = None,
    progress: Callable[[str], None] | None = None,
    weights: WeightsCommitment | None = None,
) -> Proof:
    """Prove `outputs = circuit(inputs)`.

    Args:
        circuit: what is proved.
        inputs: int64 [batch, *shape] by port name.
        context: 32 bytes that the proof is bound to.
        mode: "held", for a verifier that holds the model, or "committed", for one that holds
            `commit_weights(circuit).root`; that commitment is made on first use and kept.
        tensors: the execution, one int64 array per tensor; evaluated here where it isn't given.
        progress: called with the name of each phase as it begins.
        weights: of mode "committed": what `commit_weights` gives for this circuit, where it is at hand.

    Raises:
        MalformedError: proof.statement.*
        UnsupportedError: proof.gate.unsupported, proof.mode.unsupported, proof.size.unsupported,
            proof.soundness.too-low.
        OperationalError: proof.witness.range: `tensors` are no execution of this circuit.
    """
    if mode not in ("held", "committed"):
        raise UnsupportedError("proof.mode.unsupported", f"mode {mode!r}; known are held and committed")
    clock = Clock(progress)
    clock.phase("execute")
    arrays = evaluate(circuit, inputs) if tensors is None else tensors
    outputs = {port.name: np.ascontiguousarray(arrays[port.tensor], np.int64) for port in circuit.outputs}
    clock.phase("plan")
    public = public_tensors(circuit, inputs, outputs)
    prepared = prepare(circuit, len(public[0].array), mode)
    plan, code = prepared.plan, prepared.code
    clock.phase("witness")
    witness = Witness(plan, arrays)
    vector = committed_vector(plan, witness)
    clock.phase("commit")
    weights_held = (weights or commit_weights(circuit)) if mode == "committed" else None
    root = None if weights_held is None else weights_held.root
    transcript, writer = open_transcript(prepared, public, context, root), Writer()
    committed = commit(vector, code)
    writer.raw("commitment", committed.root)
    transcript.absorb("commitment", committed.root)
    clock.phase("lookups")
    alpha, gamma = transcript.challenge("alpha"), transcript.challenge("gamma")
    leaf = prove_fractions(writer, transcript, *leaves(witness, alpha, gamma)) if plan.lookups else None
    clock.phase("products")
    evaluated = prove_products(writer, transcript, witness)
    weight_claims: list[WeightClaim] = []
    if weights_held is not None:
        clock.phase("layers")
        more, weight_claims = prove_layers(writer, transcript, witness, prepared.matrices)
        evaluated += more
    clock.phase("claims")
    tau = tuple(transcript.challenges("tau", tau_length(plan)))
    mix = transcript.challenge("claims mix")
    claims = assemble(plan, prepared.matrices, leaf, Challenges(alpha, gamma, tau, mix), evaluated, public)
    functional = explicit_weights(plan, claims.terms)
    clock.phase("inner product")
    point = prove_inner_product(writer, transcript, vector, functional, code.log_length, claims.value, "inner product")
    clock.phase("open")
    open_at(committed, writer, transcript, point)
    if weights_held is not None:
        clock.phase("weights")
        prove_weights(writer, transcript, weights_held, weight_claims)
    clock.phase("")
    return Proof(writer.bytes(), outputs, prepared.bits, clock.timings, tuple(writer.marks))


def committed_vector(plan: Plan, witness: Witness) -> Words:
    """All columns in their blocks, as residues: [committed]."""
    vector = np.zeros(plan.committed, np.int64)
    for index, block in enumerate(plan.column_blocks):
        flat = padded(witness.columns[index], block)
        vector[block.offset : block.offset + flat.size] = flat
    return modular.from_integers(vector)


def explicit_weights(plan: Plan, terms: Sequence[tuple[int, Weight]]) -> Words:
    """The weights laid out like the committed vector: [2, committed]."""
    out = np.zeros((2, plan.committed), np.uint64)
    by_column: dict[int, Words] = {}
    for column, weight in terms:
        values = weight.explicit(len(plan.columns[column].shape))
        if column in by_column:
            kernels.accumulate(by_column[column].reshape(2, -1), values.reshape(2, -1))
        else:
            by_column[column] = values
    for column, values in by_column.items():
        block = plan.column_blocks[column]
        view = out[:, block.offset : block.offset + (1 << block.bits)].reshape(2, *block.padded)
        view[(slice(None), *(slice(d) for d in block.shape))] = values
    return out
