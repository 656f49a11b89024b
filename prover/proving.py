# SPDX-License-Identifier: AGPL-3.0-or-later
"""`prove`: an execution in, proof bytes out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from circuits import Circuit, evaluate
from prover import kernels
from prover.lookup import leaves, padded, prove_fractions
from prover.messages import Writer
from prover.opening import commit, open_at
from prover.products import prove_products
from prover.witness import Witness
from verifier.proof import modular
from verifier.errors import UnsupportedError
from verifier.proof.claims import Challenges, assemble, tau_length
from verifier.proof.commitment import choose_code
from verifier.proof.field import Element, quadratic, sub
from verifier.proof.modular import Words
from verifier.proof.plan import Plan
from verifier.proof.statement import open_transcript, prepare, public_tensors
from verifier.proof.transcript import Transcript
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
    mode: str = "held",
    tensors: Sequence[Integers] | None = None,
    progress: Callable[[str], None] | None = None,
) -> Proof:
    """Prove `outputs = circuit(inputs)` for a verifier that holds the model.

    Args:
        circuit: what is proved.
        inputs: int64 [batch, *shape] by port name.
        context: 32 bytes that the proof is bound to.
        mode: "held".
        tensors: the execution, one int64 array per tensor; evaluated here where it isn't given.
        progress: called with the name of each phase as it begins.

    Raises:
        MalformedError: proof.statement.*
        UnsupportedError: proof.gate.unsupported, proof.mode.unsupported, proof.size.unsupported,
            proof.soundness.too-low.
        OperationalError: proof.witness.range: `tensors` are no execution of this circuit.
    """
    if mode != "held":
        raise UnsupportedError("proof.mode.unsupported", f"mode {mode!r}; this version proves with the model held")
    clock = Clock(progress)
    clock.phase("execute")
    arrays = evaluate(circuit, inputs) if tensors is None else tensors
    outputs = {port.name: np.ascontiguousarray(arrays[port.tensor], np.int64) for port in circuit.outputs}
    clock.phase("plan")
    public = public_tensors(circuit, inputs, outputs)
    prepared = prepare(circuit, len(public[0].array))
    plan, code = prepared.plan, prepared.code
    clock.phase("witness")
    witness = Witness(plan, arrays)
    vector = committed_vector(plan, witness)
    clock.phase("commit")
    transcript, writer = open_transcript(prepared, public, context), Writer()
    committed = commit(vector, code)
    writer.raw("commitment", committed.root)
    transcript.absorb("commitment", committed.root)
    clock.phase("lookups")
    alpha, gamma = transcript.challenge("alpha"), transcript.challenge("gamma")
    leaf = prove_fractions(writer, transcript, *leaves(witness, alpha, gamma)) if plan.lookups else None
    clock.phase("products")
    evaluated = prove_products(writer, transcript, witness)
    clock.phase("claims")
    tau = tuple(transcript.challenges("tau", tau_length(plan)))
    mix = transcript.challenge("claims mix")
    claims = assemble(plan, prepared.matrices, leaf, Challenges(alpha, gamma, tau, mix), evaluated, public)
    weights = explicit_weights(plan, claims.terms, 1 << code.log_length)
    clock.phase("inner product")
    point = prove_inner_product(writer, transcript, vector, weights, claims.value)
    clock.phase("open")
    open_at(committed, writer, transcript, point)
    clock.phase("")
    return Proof(writer.bytes(), outputs, prepared.bits, clock.timings, tuple(writer.marks))


def committed_vector(plan: Plan, witness: Witness) -> Words:
    """All columns in their blocks, as residues: [2^log of the code's length]."""
    vector = np.zeros(1 << choose_code(plan.committed).log_length, np.int64)
    for index, block in enumerate(plan.column_blocks):
        flat = padded(witness.columns[index], block)
        vector[block.offset : block.offset + flat.size] = flat
    return modular.from_integers(vector)


def explicit_weights(plan: Plan, terms: Sequence[tuple[int, Weight]], length: int) -> Words:
    """The weights laid out like the committed vector: [2, length]."""
    out = np.zeros((2, length), np.uint64)
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


def prove_inner_product(
    writer: Writer, transcript: Transcript, vector: Words, weights: Words, claim: Element
) -> list[Element]:
    """Sumcheck of <vector, weights> = claim; returns the point."""
    size = len(vector)
    v = np.empty((4, size), np.uint64)
    v[0], v[1], v[2:] = vector, 0, weights
    point = []
    while size > 1:
        sums = kernels.inner_round(v[:2], v[2:], size)
        at_zero, leading = kernels.settle(sums, 0), kernels.settle(sums, 4)
        writer.elements("inner product", [at_zero, leading], transcript)
        r = transcript.challenge("inner product")
        kernels.bind(v, size, np.array(r, np.uint64))
        size >>= 1
        claim = quadratic(at_zero, sub(claim, at_zero), leading, r)
        point.append(r)
    return point


