# SPDX-License-Identifier: AGPL-3.0-or-later
"""Hostile bytes against the proof verifier and the parser of proof files: typed outcomes, no second accepted proof."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prover import prove
from prover.warm import small_circuit
from tests.proof.models import CONTEXT, sample
from verifier.errors import MalformedError, RejectedError
from verifier.proof import verify_proof
from verifier.proof_file import ProofFile, parse_proof_file
from verifier.tensors import Opening

pytestmark = pytest.mark.fuzz

CIRCUIT = small_circuit()
INPUTS = sample(CIRCUIT)
PROOF = prove(CIRCUIT, INPUTS, context=CONTEXT)
FILE = ProofFile(
    CIRCUIT.digest, CONTEXT, "held", None, Opening(INPUTS), Opening(PROOF.outputs), b"", PROOF.bytes
).encode()  # fmt: skip


@given(st.integers(0, len(PROOF.bytes)), st.integers(0, 32), st.binary(max_size=32))
def test_spliced_proofs(offset: int, cut: int, patch: bytes) -> None:
    mutant = PROOF.bytes[:offset] + patch + PROOF.bytes[offset + cut :]
    if mutant == PROOF.bytes:
        return
    with pytest.raises((MalformedError, RejectedError)):
        verify_proof(mutant, circuit=CIRCUIT, inputs=INPUTS, outputs=PROOF.outputs, context=CONTEXT)


@given(st.integers(0, len(PROOF.bytes) // 8 - 2), st.integers(0, (1 << 64) - 1))
def test_replaced_words(index: int, word: int) -> None:
    at = 8 + 8 * index
    mutant = PROOF.bytes[:at] + word.to_bytes(8, "little") + PROOF.bytes[at + 8 :]
    if mutant == PROOF.bytes:
        return
    with pytest.raises((MalformedError, RejectedError)):
        verify_proof(mutant, circuit=CIRCUIT, inputs=INPUTS, outputs=PROOF.outputs, context=CONTEXT)


@given(st.integers(0, 2000), st.integers(0, 16), st.binary(max_size=16))
def test_spliced_files(offset: int, cut: int, patch: bytes) -> None:
    mutant = FILE[:offset] + patch + FILE[offset + cut :]
    with contextlib.suppress(MalformedError):
        assert parse_proof_file(mutant).encode() == mutant


@given(st.binary(max_size=300))
def test_bytes(data: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_proof_file(data)
