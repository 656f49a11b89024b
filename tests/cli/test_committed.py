# SPDX-License-Identifier: AGPL-3.0-or-later
"""The way of an affidavit whose verifier has a digest and a commitment, and no model."""

from __future__ import annotations

import shutil

import pytest

from circuits import dump_circuit
from prover import commit_weights
from tests.verifier.making import NONCE, small_circuit

DIGEST, ROOT = small_circuit().digest.hex(), commit_weights(small_circuit()).root.hex()


@pytest.fixture
def committed(affidavit, place):
    ran = affidavit(
        "run", place / "small.circuit", "--input", place / "x.npz", "-o", place / "a.affidavit",
        "--nonce", NONCE.hex(), "--evidence", "simulated", "--prove", "--committed", "--json",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert ran.json["weights_commitment"] == ROOT
    (place / "policy.toml").write_text(
        'format = "policy@v1"\nprofile = "development"\n[require]\nassurance = ["signed", "attested", "proved"]\n'
        "[evidence]\nunsafe_accept_simulated = true\n"
    )
    return place


def asking(place, policy="policy.toml"):
    return ["verify", place / "a.affidavit", "--nonce", NONCE.hex(), "--input", place / "x.npz", "--policy",
            place / policy, "--json"]  # fmt: skip


def test_with_nothing_but_digest_and_commitment(affidavit, committed):
    (committed / "small.circuit").unlink()
    shutil.rmtree(committed / "node")
    shutil.rmtree(committed / "cache", ignore_errors=True)
    ran = affidavit(*asking(committed), "--model", DIGEST, "--weights-commitment", ROOT)
    assert ran.code == 0, ran.out
    layers = {layer["name"]: layer for layer in ran.json["ledger"]["layers"]}
    assert layers["proved"]["reached"] and layers["proved"]["bits"] >= 100 and not layers["rechecked"]["reached"]
    assert {gate["assurance"] for gate in ran.json["ledger"]["gates"]} == {"proved"}
    assert ran.json["answer"]


def test_a_commitment_in_the_file_is_no_trust_anchor(affidavit, committed):
    ran = affidavit(*asking(committed), "--model", DIGEST)
    assert (ran.code, ran.json["code"]) == (20, "proof.weights.unknown")
    ran = affidavit(*asking(committed), "--model", committed / "small.circuit")
    assert (ran.code, ran.json["code"]) == (20, "proof.weights.unknown")
    ran = affidavit(*asking(committed), "--model", DIGEST, "--weights-commitment", "ab" * 32)
    assert (ran.code, ran.json["code"]) == (10, "proof.commitment.mismatch")
    ran = affidavit(*asking(committed), "--model", "ab" * 32, "--weights-commitment", ROOT)
    assert (ran.code, ran.json["code"]) == (10, "model.circuit.mismatch")
    assert affidavit(*asking(committed), "--model", DIGEST, "--weights-commitment", "ab").code == 30


def test_from_a_policy(affidavit, committed):
    arguments = ["policy", "new", "-o", committed / "pins.toml", "--circuit", committed / "small.circuit"]
    ran = affidavit(*arguments, "--committed", "--no-recheck", "--unsafe-accept-simulated")
    assert ran.code == 0, ran.err
    assert f'"{DIGEST}" = "{ROOT}"' in (committed / "pins.toml").read_text()
    ran = affidavit(*asking(committed, "pins.toml"))
    assert ran.code == 0, ran.out
    other = (committed / "pins.toml").read_text().replace(ROOT, "ab" * 32)
    (committed / "other.toml").write_text(other)
    assert affidavit(*asking(committed, "other.toml")).json["code"] == "proof.commitment.mismatch"


def test_commitment(affidavit, place):
    ran = affidavit("commitment", place / "small.circuit", "--json")
    assert ran.code == 0
    assert (ran.json["circuit"], ran.json["weights_commitment"]) == (DIGEST, ROOT)
    assert ran.json["setup_from"] == "computed" and ran.json["setup_s"] >= 0
    assert ROOT in affidavit("commitment", place / "small.circuit").out


def test_committed_needs_prove(affidavit, place):
    ran = affidavit(
        "run", place / "small.circuit", "--input", place / "x.npz", "-o", place / "b.affidavit", "--committed"
    )
    assert ran.code == 30 and "request.committed.unproved" in ran.err
    assert not (place / "b.affidavit").exists()


def test_the_second_process_finds_the_set_up(affidavit, place, monkeypatch):
    monkeypatch.setattr("prover.cache.LEAST_BYTES", 0)
    arguments = ["prove", place / "small.circuit", "--input", place / "x.npz", "-o", place / "p.proof", "--committed"]
    first, second = (affidavit(*arguments, "--json").json for _ in range(2))
    assert (first["setup_from"], second["setup_from"]) == ("computed", "disk")
    assert first["weights_commitment"] == second["weights_commitment"] == ROOT
    (place / "small.circuit").write_bytes(dump_circuit(small_circuit(weight=4)))
    assert affidavit(*arguments, "--json").json["setup_from"] == "computed"
    held = affidavit(*arguments[:-1], "--json").json
    assert held["setup_from"] is None and held["weights_commitment"] is None
