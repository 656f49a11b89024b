# SPDX-License-Identifier: AGPL-3.0-or-later
"""What `inspect` says of a proof: every term of its soundness, from the circuit alone and never from the proof."""

from __future__ import annotations

from math import log2

import pytest

from circuits import dump_circuit
from verifier.affidavit import read_affidavit
from verifier.inspection import inspect_affidavit, inspect_proof_file, soundness_json
from verifier.proof import dump_outline
from verifier.proof.soundness import account
from verifier.proof.statement import prepare
from verifier.proof_file import ProofFile, parse_proof_file
from verifier.tensors import Opening

from .making import Making, small_circuit

CIRCUIT = small_circuit()


@pytest.mark.parametrize("mode", ["held", "committed"])
def test_all_terms_and_their_sum(mode):
    found = soundness_json(CIRCUIT, CIRCUIT.digest, 2, mode)
    prepared = prepare(CIRCUIT, 2, mode)
    terms = {term.name: term.error for term in account(prepared.plan, prepared.code, prepared.weights.code)}
    assert {term["name"] for term in found["terms"]} == {name for name, error in terms.items() if error > 0}
    for term in found["terms"]:
        assert term["bits"] == pytest.approx(-log2(terms[term["name"]]), abs=0.01)
    assert found["bits"] == pytest.approx(prepared.bits, abs=0.01) and found["required_bits"] == 100
    assert -log2(sum(2.0 ** -term["bits"] for term in found["terms"])) == pytest.approx(found["bits"], abs=0.02)
    assert [term["bits"] for term in found["terms"]] == sorted(term["bits"] for term in found["terms"])
    assert ("queries to the weights" in terms) == (mode == "committed")


@pytest.mark.parametrize(
    ("making", "circuit", "unknown"),
    [
        (Making(prove=True, embed_circuit=False), None, "proof.circuit.missing"),
        (Making(prove=True, embed_circuit=False), small_circuit(weight=4), "model.circuit.mismatch"),
        (Making(prove=True, roles={"circuit": dump_circuit(small_circuit(weight=4))}), None, "proof.circuit.missing"),
        (
            Making(prove=True, committed=True, embed_circuit=False, roles={"outline": dump_outline(CIRCUIT)}),
            None,
            None,
        ),
        (Making(prove=True, committed=True, embed_circuit=False, embed_outline=False), None, "proof.circuit.missing"),
        (
            Making(
                prove=True,
                committed=True,
                embed_circuit=False,
                embed_outline=False,
                roles={"outline": dump_outline(small_circuit(weight=4))},
            ),
            None,
            "proof.outline.digest-mismatch",
        ),
        (Making(prove=True, roles={"circuit": b"no circuit"}), None, "circuit.container.truncated"),
        (Making(prove=True), None, None),
        (Making(prove=True, embed_circuit=False), CIRCUIT, None),
    ],
)
def test_in_an_affidavit(making, circuit, unknown):
    found = inspect_affidavit(read_affidavit(making.build()), circuit)
    assert found["trusted"] is False
    if unknown is None:
        assert found["soundness"]["bits"] >= 100 and len(found["soundness"]["terms"]) > 5
    else:
        assert found["soundness"] == {"unknown": unknown}


def test_without_a_proof():
    assert inspect_affidavit(read_affidavit(Making().build()))["soundness"] is None


@pytest.mark.parametrize(
    ("batch", "mode", "unknown"),
    [
        (0, "held", "proof.statement.batch"),
        (1 << 20, "held", "proof.statement.batch"),
        (1, "hidden", "proof.system.unsupported"),
    ],
)
def test_what_cannot_be_said(batch, mode, unknown):
    assert soundness_json(CIRCUIT, CIRCUIT.digest, batch, mode) == {"unknown": unknown}


def test_too_large_or_too_little(monkeypatch):
    monkeypatch.setattr("verifier.proof.soundness.REQUIRED_BITS", 200)
    assert soundness_json(small_circuit(weight=7), small_circuit(weight=7).digest, 1, "held") == {
        "unknown": "proof.soundness.too-low"
    }


@pytest.mark.parametrize("mode", ["held", "committed"])
def test_in_a_proof_file(mode):
    making = Making(prove=True, committed=mode == "committed")
    committed = mode == "committed"
    file = ProofFile(
        CIRCUIT.digest,
        bytes(32),
        mode,
        making.commitment() if committed else None,
        Opening(making.encoded()),
        Opening(making.outputs()),
        dump_outline(CIRCUIT) if committed else b"",
        b"AFFPROV1",
    )
    found = inspect_proof_file(parse_proof_file(file.encode()))
    assert found["mode"] == mode and found["circuit"] == CIRCUIT.digest.hex() and found["inputs"] == {"x": [2, 4]}
    assert found["weights_commitment"] == (making.commitment().hex() if committed else None)
    if committed:
        assert found["soundness"]["bits"] >= 100
    else:
        assert found["soundness"] == {"unknown": "proof.circuit.missing"}
        assert inspect_proof_file(file, CIRCUIT)["soundness"]["bits"] >= 100
