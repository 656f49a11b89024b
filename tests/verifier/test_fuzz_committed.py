# SPDX-License-Identifier: AGPL-3.0-or-later
"""Hostile outlines and commitments around an affidavit of mode `committed`: typed verdicts, nothing else accepted."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prover import commit_weights
from verifier import Known, Verdict, verify
from verifier.affidavit import read_affidavit
from verifier.inspection import inspect_affidavit
from verifier.proof import dump_outline

from .making import AT, NONCE, Making, inputs, small_circuit, trusting

pytestmark = pytest.mark.fuzz

CIRCUIT = small_circuit()
HONEST = Making(prove=True, committed=True, embed_circuit=False)
HONEST = replace(HONEST, proof=HONEST.attachments()["proof"])
OUTLINE, ROOT = dump_outline(CIRCUIT), commit_weights(CIRCUIT).root
KNOWN = Known(inputs=inputs(), nonce=NONCE, digest=CIRCUIT.digest, weights_commitment=ROOT)
POLICY = trusting(assurance=("signed", "proved"))


def spliced(data: bytes, offset: int, cut: int, patch: bytes) -> bytes:
    return data[:offset] + patch + data[offset + cut :]


def test_the_honest_one_is_accepted():
    assert verify(HONEST.build(), at=AT, policy=POLICY, known=KNOWN).verdict is Verdict.ACCEPT


@given(st.integers(0, len(OUTLINE)), st.integers(0, 32), st.binary(max_size=32))
def test_outlines(offset, cut, patch):
    outline = spliced(OUTLINE, offset, cut, patch)
    data = replace(HONEST, roles={"outline": outline}).build()
    result = verify(data, at=AT, policy=POLICY, known=KNOWN)
    assert (result.verdict is Verdict.ACCEPT) == (outline == OUTLINE)
    assert result.verdict in (Verdict.ACCEPT, Verdict.REJECT, Verdict.MALFORMED)
    found = inspect_affidavit(read_affidavit(data))["soundness"]
    assert ("unknown" in found) == (outline != OUTLINE)


@given(st.binary(min_size=32, max_size=32))
def test_commitments(root):
    result = verify(HONEST.build(), at=AT, policy=POLICY, known=replace(KNOWN, weights_commitment=root))
    assert (result.verdict is Verdict.ACCEPT) == (root == ROOT)
    assert result.code in ("", "proof.commitment.mismatch")
