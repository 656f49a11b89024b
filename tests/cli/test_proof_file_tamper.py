# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tamper manifest of proof files: the list of parts is the class's own, and each is attacked."""

from __future__ import annotations

import struct
from dataclasses import fields, replace

import pytest

from prover import commit_weights
from tests.verifier.making import small_circuit
from verifier.proof import dump_outline
from verifier.proof_file import ProofFile, parse_proof_file
from verifier.tensors import Opening

OTHER = small_circuit(weight=4)


def shifted(opening):
    return Opening({name: array + 1 for name, array in opening.tensors.items()})


# part -> another value for it, exit code, and what the message says
MANIFEST = {
    "circuit": (lambda file: OTHER.digest, 10, "model.circuit.mismatch"),
    "context": (lambda file: b"\x07" * 32, 0, ""),  # for people: the verifier's own is what counts
    "mode": (lambda file: "held", 30, "proof.file.malformed"),
    "weights": (lambda file: commit_weights(OTHER).root, 0, ""),  # the same: --weights-commitment is what counts
    "inputs": (lambda file: shifted(file.inputs), 10, "proof.lookup.round-mismatch"),
    "outputs": (lambda file: shifted(file.outputs), 10, "proof.lookup.round-mismatch"),
    "outline": (lambda file: dump_outline(OTHER), 10, "proof.outline.digest-mismatch"),
    "proof": (lambda file: file.proof[:-1] + bytes([file.proof[-1] ^ 1]), 10, "proof.opening.path"),
}


def test_every_part_is_in_the_manifest():
    assert [field.name for field in fields(ProofFile)] == list(MANIFEST)


@pytest.mark.parametrize("part", MANIFEST)
def test_another_value(affidavit, place, part):
    ran = affidavit(
        "prove", place / "small.circuit", "--input", place / "x.npz", "-o", place / "p.proof", "--committed", "--json"
    )
    root, digest = ran.json["weights_commitment"], ran.json["circuit"]
    file = parse_proof_file((place / "p.proof").read_bytes())
    change, code, says = MANIFEST[part]
    (place / "m.proof").write_bytes(replace(file, **{part: change(file)}).encode())
    checking = ["--circuit", digest, "--weights-commitment", root]
    ran = affidavit("verify-proof", place / "m.proof", *checking)
    assert ran.code == code and says in ran.err, ran.err
    assert affidavit("verify-proof", place / "p.proof", *checking).code == 0


def test_context_and_commitment_are_the_verifiers_own(affidavit, place):
    """What the file says of them is never read: other ones on the command line are refused."""
    ran = affidavit(
        "prove", place / "small.circuit", "--input", place / "x.npz", "-o", place / "p.proof", "--committed", "--json"
    )
    checking = ["verify-proof", place / "p.proof", "--circuit", ran.json["circuit"], "--weights-commitment"]
    assert affidavit(*checking, ran.json["weights_commitment"], "--context", "07" * 32).code == 10
    assert affidavit(*checking, commit_weights(OTHER).root.hex()).code == 10


def test_sizes_and_length_of_the_header(affidavit, place):
    affidavit("prove", place / "small.circuit", "--input", place / "x.npz", "-o", place / "p.proof")
    data = (place / "p.proof").read_bytes()
    for length in (0, 1, len(data), (1 << 32) - 1):
        (place / "m.proof").write_bytes(data[:8] + struct.pack("<I", length) + data[12:])
        ran = affidavit("verify-proof", place / "m.proof", "--circuit", place / "small.circuit")
        assert ran.code == 30 and "proof.file.malformed" in ran.err


def test_inspect_prints_the_soundness(affidavit, place):
    affidavit("prove", place / "small.circuit", "--input", place / "x.npz", "-o", place / "p.proof")
    ran = affidavit("inspect", place / "p.proof")
    assert ran.code == 0 and ran.json["soundness"] == {"unknown": "proof.circuit.missing"}
    ran = affidavit("inspect", place / "p.proof", "--model", place / "small.circuit")
    assert ran.json["soundness"]["bits"] >= 100
    assert any("queries" in term["name"] for term in ran.json["soundness"]["terms"])
