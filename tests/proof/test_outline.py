# SPDX-License-Identifier: AGPL-3.0-or-later
"""Circuits without weights, and proofs checked with nothing else."""

from __future__ import annotations

import contextlib
import hashlib
import random

import pytest

from circuits import CircuitError
from circuits.circuit import CIRCUIT_LABEL
from prover import commit_weights, prove
from tests.proof.models import CONTEXT, arguments, convolutional, mixed, sample
from verifier.errors import MalformedError, RejectedError, VerifierError
from verifier.proof import verify_proof
from verifier.proof.outline import dump_outline, load_outline


@pytest.mark.parametrize("make", [convolutional, mixed])
def test_verify_from_outline(make):
    circuit = make()
    inputs = sample(circuit, 2)
    proof = prove(circuit, inputs, context=CONTEXT, mode="committed")
    outline = load_outline(dump_outline(circuit), circuit.digest)
    assert outline.digest == circuit.digest
    if make is convolutional:
        assert not outline.constants[0].data.any()
        assert len(dump_outline(circuit)) < len(circuit.header) + 40
    told = arguments(outline, inputs, proof.outputs, commit_weights(circuit).root)
    finding = verify_proof(proof.bytes, **told)
    assert finding.mode == "committed"


def test_refusals():
    circuit = mixed()
    data = dump_outline(circuit)
    with pytest.raises(RejectedError) as rejected:
        load_outline(data, bytes(32))
    assert rejected.value.code == "proof.outline.digest-mismatch"
    with pytest.raises(RejectedError) as rejected:
        load_outline(data[:-1] + bytes([data[-1] ^ 1]), circuit.digest)
    assert rejected.value.code == "proof.outline.constant-mismatch"
    for broken in (b"", data[:11], data[:-1], data + b"\0", b"X" + data[1:]):
        with pytest.raises(MalformedError) as malformed:
            load_outline(broken, circuit.digest)
        assert malformed.value.code == "proof.outline.grammar"


def test_total_on_hostile_bytes():
    data = dump_outline(convolutional())
    rng = random.Random(1)
    for _ in range(300):
        changed = bytearray(data)
        changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        size = int.from_bytes(changed[8:12], "little")
        digest = hashlib.sha256(CIRCUIT_LABEL + bytes(changed[12 : 12 + size])).digest()  # as if it were published
        with contextlib.suppress(VerifierError, CircuitError):
            load_outline(bytes(changed), digest)
