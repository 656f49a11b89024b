# SPDX-License-Identifier: AGPL-3.0-or-later
"""A small dose of what `make mutations` does a million times: no mutant passes, and none takes much memory."""

from __future__ import annotations

from collections import Counter

import pytest

from circuits.gates import RULES
from tests.proof import mutations
from tests.proof.mutations import MUTATIONS, is_refusal, mutant, outcome, traced

DOSE = 1200


@pytest.fixture(scope="module")
def pool():
    return mutations.subjects()


def test_every_kind_of_gate_is_there(pool):
    assert {gate.kind for subject in pool for gate in subject.circuit.gates} == set(RULES)
    assert any(subject.arguments["weights_commitment"] for subject in pool)


def test_fields_cover_the_proof(pool):
    for subject in pool:
        ends = [0, *(field.end for field in subject.fields)]
        assert [field.begin for field in subject.fields] == ends[:-1]


def test_the_harness_would_notice(pool):
    """A proof that is accepted, and an exception without a type, are no refusals."""
    subject = pool[0]
    assert outcome(subject, subject.proof) == "ACCEPTED"
    assert not is_refusal("ACCEPTED")
    broken = mutations.Subject("x", subject.circuit, {**subject.arguments, "inputs": None}, subject.proof, b"", ())
    assert not is_refusal(outcome(broken, subject.proof))


def test_no_mutant_passes(pool):
    kinds, codes = Counter[str](), Counter[str]()
    for number in range(DOSE):
        subject, kind, data = mutant(7, number, pool)
        code = outcome(subject, data)
        assert is_refusal(code), (number, kind, code)
        kinds[kind] += 1
        codes[code] += 1
    assert kinds.keys() == MUTATIONS.keys()
    assert len(codes) > 12


def test_memory_is_bounded(pool):
    for number in range(0, DOSE, 40):
        subject, kind, data = mutant(8, number, pool)
        code, most = traced(subject, data)
        assert is_refusal(code) and most < mutations.MAX_BYTES, (number, kind, code)


def test_cases_are_reproducible(pool):
    for number in range(40):
        assert mutant(3, number, pool) == mutant(3, number, pool)
        assert mutant(3, number, pool)[2] != mutant(4, number, pool)[2]
