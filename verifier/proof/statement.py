# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is proved, and everything that both sides derive from it before the first message.

The transcript absorbs, before its first challenge: protocol parameters, circuit digest, weights digest, context, batch,
the integers of every input and of every output, and then the commitment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from circuits import Circuit
from circuits.circuit import Port
from circuits.derivation import site_of
from verifier.errors import MalformedError, RejectedError
from verifier.proof import commitment
from verifier.proof.claims import Public
from verifier.proof.commitment import Code, choose_code
from verifier.proof.field import P
from verifier.proof.linear import Matrices
from verifier.proof.plan import MAX_BATCH, Mode, Plan, make_plan
from verifier.proof.soundness import require
from verifier.proof.transcript import Transcript
from verifier.proof.weight import Integers
from verifier.proof.weights import WeightLayout, weight_layout

CONTEXT_SIZE = 32
WIDTHS = range(3, 17)
"""Limb widths among which the plan is chosen."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """A circuit at a batch size: plan, code, queries per opening, soundness; made once and kept."""

    plan: Plan
    code: Code
    queries: int
    bits: float
    matrices: Matrices
    weights: WeightLayout


def prepare(circuit: Circuit, batch: int, mode: Mode = "held") -> Prepared:
    """The plan with the fewest leaves and committed values, and what follows from it; the last few are kept.

    Raises UnsupportedError (proof.gate.unsupported, proof.size.unsupported, proof.soundness.too-low).
    """
    # A circuit without its weights has the header of the one with them: what is kept goes by the weights as well.
    return _prepare(circuit, circuit.weights_digest, batch, mode)


@lru_cache(maxsize=8)
def _prepare(circuit: Circuit, weights_digest: bytes, batch: int, mode: Mode) -> Prepared:
    sites = tuple(site_of(gate, circuit.tensors, circuit.constants) for gate in circuit.gates)
    best = min((make_plan(circuit, batch, width, sites, mode) for width in WIDTHS), key=cost)
    code = choose_code(best.committed)
    layout = weight_layout(circuit) if mode == "committed" else WeightLayout((), None)
    return Prepared(best, code, *require(best, code, layout.code), Matrices(), layout)


def cost(plan: Plan) -> int:
    """What a plan costs to prove, in field operations or so."""
    return plan.leaves * bool(plan.lookups) + 2 * plan.committed


def public_tensors(circuit: Circuit, inputs: Mapping[str, Integers], outputs: Mapping[str, Integers]) -> list[Public]:
    """The public tensors, checked against their ports.

    Raises MalformedError proof.statement.* for arrays that are no inputs or outputs of this circuit, RejectedError
    proof.statement.bounds for outputs that no execution can have.
    """
    found = _match("input", circuit, circuit.inputs, inputs) + _match("output", circuit, circuit.outputs, outputs)
    batches = {len(item.array) for item in found}
    if len(batches) != 1 or not 1 <= min(batches) <= MAX_BATCH:
        raise MalformedError(
            "proof.statement.batch", f"batch sizes {sorted(batches)}; required one, from 1 to {MAX_BATCH}"
        )
    return found


def _match(kind: str, circuit: Circuit, ports: Sequence[Port], arrays: Mapping[str, Integers]) -> list[Public]:
    names = [port.name for port in ports]
    if sorted(arrays) != sorted(names):
        raise MalformedError("proof.statement.names", f"{kind}s {sorted(arrays)}; required {sorted(names)}")
    found = []
    for port in ports:
        array, tensor = arrays[port.name], circuit.tensors[port.tensor]
        if array.dtype != np.int64 or array.shape[1:] != tensor.shape:
            raise MalformedError(
                "proof.statement.shape", f"{kind} {port.name!r}; required int64 [batch, {list(tensor.shape)}]"
            )
        if array.size and not tensor.lo <= int(array.min()) <= int(array.max()) <= tensor.hi:
            error = MalformedError if kind == "input" else RejectedError
            raise error(
                "proof.statement.bounds",
                f"{kind} {port.name!r} has values outside [{tensor.lo}, {tensor.hi}]",
            )
        found.append(Public(port.tensor, np.ascontiguousarray(array)))
    return found


def open_transcript(
    prepared: Prepared, public: Sequence[Public], context: bytes, weights: bytes | None = None
) -> Transcript:
    """A transcript that has absorbed the statement; `weights` is the commitment in mode "committed"."""
    if len(context) != CONTEXT_SIZE:
        raise MalformedError("proof.statement.context", f"{len(context)} bytes; required {CONTEXT_SIZE}")
    plan, code = prepared.plan, prepared.code
    parameters = (
        P, 7, plan.width, commitment.RATE_BITS, prepared.queries, code.length, code.log_columns, plan.leaves
    )  # fmt: skip
    transcript = Transcript()
    transcript.absorb("parameters", b"".join(n.to_bytes(8, "little") for n in parameters))
    transcript.absorb("circuit", plan.circuit.digest)
    transcript.absorb("mode", plan.mode.encode())
    transcript.absorb("weights", plan.circuit.weights_digest if weights is None else weights)
    transcript.absorb("context", context)
    transcript.absorb("batch", plan.batch.to_bytes(8, "little"))
    for item in public:
        transcript.absorb("public tensor", item.tensor.to_bytes(8, "little") + item.array.astype("<i8").tobytes())
    return transcript
