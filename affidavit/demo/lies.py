# SPDX-License-Identifier: AGPL-3.0-or-later
"""Four ways to cheat with a genuine affidavit. Each gives a file that is well formed and wrong.

The first is the strongest: the node itself lies, with its own key and with evidence that is genuine, because
evidence speaks of the machine and not of the arithmetic. Only recomputing (or a proof) catches it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from circuits import Circuit, Constant, evaluate, load_circuit
from node.keys import NodeKeys
from prover import commit_execution
from verifier import Affidavit, OperationalError, read_affidavit, write_affidavit
from verifier.dsse import Envelope, sign_envelope
from verifier.receipt import TraceClaim
from verifier.tensors import commit, decode_tensors, encode_tensors


def _blob(affidavit: Affidavit, role: str) -> bytes:
    content = affidavit.blob(role)
    if content is None:
        raise OperationalError("file.incomplete", f"the affidavit does not carry its {role}")
    return content


def _write(affidavit: Affidavit, envelope: Envelope, changed: Mapping[str, bytes], *, evidence: bool = True) -> bytes:
    roles = {role: _blob(affidavit, role) for role in affidavit.roles}
    named = {digest for item in affidavit.receipt.evidence for digest in item.members.values()} if evidence else set()
    named |= {affidavit.receipt.proof.digest} if affidavit.receipt.proof else set()
    parts = {digest.hex(): affidavit.blobs[digest] for digest in named}
    return write_affidavit({"receipt": envelope}, {**roles, **changed}, parts)


def cheaper_model(circuit: Circuit) -> Circuit:
    """The same header over other weights: of every large constant, all but the largest weights are dropped."""

    def prune(constant: Constant) -> Constant:
        if constant.data.size < 100:
            return constant
        kept = np.abs(constant.data) >= np.quantile(np.abs(constant.data), 0.7)
        return Constant(constant.name, np.where(kept, constant.data, 0).astype(constant.data.dtype))

    return replace(circuit, constants=tuple(prune(constant) for constant in circuit.constants))


def swap_model(genuine: bytes, keys: NodeKeys) -> bytes:
    """The node runs a pruned model, and signs and attests that it was the one that was asked for."""
    affidavit = read_affidavit(genuine)
    circuit = load_circuit(_blob(affidavit, "circuit"))
    inputs = decode_tensors(_blob(affidavit, "input")).tensors
    tensors = evaluate(cheaper_model(circuit), inputs)
    outputs = {port.name: tensors[port.tensor] for port in circuit.outputs}
    trace = commit_execution(circuit, tensors, b"")
    claim = TraceClaim(trace.root, hashlib.sha256(trace.leaves).digest(), trace.count)
    receipt = replace(affidavit.receipt, output=commit(outputs), trace=claim)
    envelope = sign_envelope(receipt.statement().encode(), public_key=receipt.keys.signing, sign=keys.sign)
    return _write(affidavit, envelope, {"output": encode_tensors(outputs), "trace": trace.leaves})


def edit_answer(genuine: bytes) -> bytes:
    """Whoever carries the file exchanges the best two scores, and makes all digests fit again."""
    affidavit = read_affidavit(genuine)
    outputs = dict(decode_tensors(_blob(affidavit, "output")).tensors)
    name = sorted(outputs)[0]
    scores = outputs[name].copy()
    second, first = np.argsort(scores[0])[-2:]
    scores[0, [first, second]] = scores[0, [second, first]]
    return _write(affidavit, affidavit.receipt_envelope, {"output": encode_tensors({**outputs, name: scores})})


def strip_evidence(genuine: bytes) -> bytes:
    """Whoever carries the file takes the evidence out."""
    affidavit = read_affidavit(genuine)
    return _write(affidavit, affidavit.receipt_envelope, {}, evidence=False)
