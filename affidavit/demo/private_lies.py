# SPDX-License-Identifier: AGPL-3.0-or-later
"""Five ways for a node to cheat a client whose input it cannot see. It signs each with its own key.

None of them shows in the answer's form: a ciphertext looks like any other, and the client could not tell even after it
had decrypted. Executing again on the same ciphertexts, or comparing digests with what was sent, finds every one.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from circuits import Circuit, Constant
from fhe import PRESETS, dump_ciphertexts, parse_ciphertexts, parse_keys
from node.encrypted_recheck import layout_of
from node.keys import NodeKeys
from verifier import Affidavit, OperationalError, read_affidavit, write_affidavit
from verifier.dsse import sign_envelope
from verifier.encrypted import FheClaim
from verifier.receipt import Receipt, TraceClaim


def half_the_work(circuit: Circuit) -> Circuit:
    """The same header, and a first layer of which only the first half was computed."""
    first = max(circuit.constants, key=lambda constant: constant.data.size)

    def halve(constant: Constant) -> Constant:
        if constant.name != first.name:
            return constant
        kept = np.arange(constant.data.shape[-1]) < constant.data.shape[-1] // 2
        return Constant(constant.name, (constant.data * kept).astype(constant.data.dtype))

    return replace(circuit, constants=tuple(halve(constant) for constant in circuit.constants))


def other_weights(genuine: bytes, ran: Circuit, keys: NodeKeys, *, request: bytes, evaluation_keys: bytes) -> bytes:
    """The node runs ``ran`` on the request and signs that it ran the circuit that was asked for."""
    from fhe.evaluation import Evaluation

    plan = layout_of(read_affidavit(genuine)).plan(ran)
    answer = Evaluation(plan, parse_keys(evaluation_keys)).run(parse_ciphertexts(request))
    return resigned(genuine, keys, answer=dump_ciphertexts(answer))


def another_answer(genuine: bytes, older: bytes, keys: NodeKeys) -> bytes:
    """No work at all: the ciphertexts of an older answer, signed as the answer to this request."""
    answer = read_affidavit(older).blob("output")
    if answer is None:
        raise OperationalError("file.incomplete", "the older affidavit does not carry its answer")
    return resigned(genuine, keys, answer=answer)


def other_keys(genuine: bytes, keys: NodeKeys) -> bytes:
    """The node computes under another session's evaluation keys, and says so."""
    claim = _claim(read_affidavit(genuine))
    inputs = replace(claim.inputs, keys=hashlib.sha256(b"another session's").digest())
    return resigned(genuine, keys, claim=replace(claim, inputs=inputs))


def other_preset(genuine: bytes, keys: NodeKeys) -> bytes:
    """The node names parameters other than those that the request was encrypted in."""
    claim = _claim(read_affidavit(genuine))
    preset = next(p for p in PRESETS.values() if p.scheme == claim.scheme and p.name != claim.preset)
    named = replace(claim, preset=preset.name, parameters=preset.digest)
    return resigned(genuine, keys, claim=replace(named, inputs=replace(claim.inputs, interface=preset.digest)))


def resigned(genuine: bytes, keys: NodeKeys, *, answer: bytes | None = None, claim: FheClaim | None = None) -> bytes:
    """The affidavit with another answer or section, everything that follows from it, and a genuine signature."""
    affidavit = read_affidavit(genuine)
    section = claim or _claim(affidavit)
    output = affidavit.blob("output") if answer is None else answer
    if output is None:
        raise OperationalError("file.incomplete", "the affidavit does not carry its answer")
    section = replace(section, answer=hashlib.sha256(output).digest())
    trace = TraceClaim(section.root, hashlib.sha256(b"".join(section.leaves)).digest(), 2)
    receipt: Receipt = replace(
        affidavit.receipt, fhe=section, input=section.inputs.commitment, output=section.answer, trace=trace
    )
    receipt = replace(receipt, context=receipt.rebuilt_context().digest)
    envelope = sign_envelope(receipt.statement().encode(), public_key=receipt.keys.signing, sign=keys.sign)
    parts = {d.hex(): affidavit.blobs[d] for item in receipt.evidence for d in item.members.values()}
    return write_affidavit({"receipt": envelope}, {"output": output}, parts)


def _claim(affidavit: Affidavit) -> FheClaim:
    if affidavit.receipt.fhe is None:
        raise OperationalError("file.incomplete", "the affidavit speaks of no execution on ciphertexts")
    return affidavit.receipt.fhe
