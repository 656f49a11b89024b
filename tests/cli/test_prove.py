# SPDX-License-Identifier: AGPL-3.0-or-later
"""Proofs from the command line: alone and inside affidavits."""

from __future__ import annotations

import numpy as np
import pytest

from circuits import dump_circuit
from tests.verifier.making import NONCE, inputs, small_circuit


@pytest.fixture
def proved(affidavit, place):
    ran = affidavit("prove", place / "small.circuit", "--input", place / "x.npz", "-o", place / "p.proof", "--json")
    assert ran.code == 0, ran.err
    return place, ran.json


def test_prove_and_verify(affidavit, proved):
    place, report = proved
    assert {"prove_s", "proof_bytes", "peak_mb", "soundness_bits"} <= report.keys()
    assert report["soundness_bits"] >= 100
    ran = affidavit("verify-proof", place / "p.proof", "--circuit", place / "small.circuit", "--json")
    assert ran.code == 0
    assert {"verify_s", "proof_bytes", "peak_mb", "soundness_bits"} <= ran.json.keys()
    assert ran.json["gates"] == len(small_circuit().gates) and ran.json["batch"] == 2


def test_committed_weights(affidavit, place):
    arguments = ["prove", place / "small.circuit", "--input", place / "x.npz", "-o", place / "p.proof", "--committed"]
    report = affidavit(*arguments, "--json").json
    root = report["weights_commitment"]
    check = ["verify-proof", place / "p.proof", "--circuit", place / "small.circuit"]
    assert affidavit(*check, "--weights-commitment", root).code == 0
    without = affidavit(*check)
    assert without.code == 20 and "proof.weights.unknown" in without.err
    assert affidavit(*check, "--weights-commitment", "ab" * 32).code == 10
    # The digest alone is enough: the circuit's outline travels with the proof.
    digest = small_circuit().digest.hex()
    by_digest = ["verify-proof", place / "p.proof", "--circuit", digest]
    assert affidavit(*by_digest, "--weights-commitment", root).code == 0
    assert affidavit(*by_digest).code == 20
    other = affidavit("verify-proof", place / "p.proof", "--circuit", "ab" * 32, "--weights-commitment", root)
    assert other.code == 10 and "model.circuit.mismatch" in other.err


def test_what_is_refused(affidavit, proved):
    place, _ = proved
    ran = affidavit("verify-proof", place / "p.proof", "--circuit", small_circuit().digest.hex())
    assert ran.code == 20 and "proof.circuit.missing" in ran.err
    (place / "other.circuit").write_bytes(dump_circuit(small_circuit(weight=4)))
    ran = affidavit("verify-proof", place / "p.proof", "--circuit", place / "other.circuit")
    assert ran.code == 10 and "model.circuit.mismatch" in ran.err
    ran = affidavit("verify-proof", place / "p.proof", "--circuit", place / "small.circuit", "--context", "ab" * 32)
    assert ran.code == 10 and "proof." in ran.err
    data = (place / "p.proof").read_bytes()
    for mutant in (b"", data[:-1], data + b"x", data[:20], b"AFFPRFL1" + bytes(8), data.replace(b"held", b"hold")):
        (place / "m.proof").write_bytes(mutant)
        ran = affidavit("verify-proof", place / "m.proof", "--circuit", place / "small.circuit")
        assert ran.code == 30, ran.err


def test_an_affidavit_with_a_proof(affidavit, place):
    ran = affidavit(
        "run", place / "small.circuit", "--input", place / "x.npz", "-o", place / "a.affidavit",
        "--nonce", NONCE.hex(), "--evidence", "simulated", "--prove", "--json",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert ran.json["proof_bytes"] > 1000
    (place / "policy.toml").write_text(
        'format = "policy@v1"\nprofile = "development"\n[require]\nassurance = ["signed", "attested", "proved"]\n'
        "[evidence]\nunsafe_accept_simulated = true\n[limits]\nmax_macs = 0\n"
    )
    known = ["--model", place / "small.circuit", "--nonce", NONCE.hex(), "--policy", place / "policy.toml"]
    ran = affidavit("verify", place / "a.affidavit", *known, "--input", place / "x.npz", "--json")
    assert ran.code == 0, ran.out
    layers = {layer["name"]: layer["reached"] for layer in ran.json["ledger"]["layers"]}
    assert layers["proved"] and not layers["rechecked"]
    np.savez(place / "y.npz", x=inputs(9)["x"])
    assert affidavit("verify", place / "a.affidavit", *known, "--input", place / "y.npz").code == 10
