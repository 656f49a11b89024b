# SPDX-License-Identifier: AGPL-3.0-or-later
"""Exit codes are a contract: 0 ACCEPT, 10 REJECT, 20 UNVERIFIABLE, 30 MALFORMED, 1 ours, 2 usage."""

from __future__ import annotations

import json

import numpy as np
import pytest

from circuits import dump_circuit
from tests.verifier.making import NONCE, inputs, small_circuit


def knowing(place):
    return ["--model", place / "small.circuit", "--input", place / "x.npz", "--nonce", NONCE.hex()]


def test_accept(affidavit, answered):
    ran = affidavit(
        "verify", answered / "a.affidavit", *knowing(answered), "--policy", answered / "policy.toml", "--json"
    )
    assert ran.code == 0
    assert ran.json["verdict"] == "ACCEPT" and ran.json["exit_code"] == 0
    assert {check["result"] for check in ran.json["checks"]} <= {"PASS", "SKIP"}
    layers = {layer["name"]: layer["reached"] for layer in ran.json["ledger"]["layers"]}
    assert layers == {"signed": True, "attested": True, "rechecked": True, "proved": False, "private": False}


def test_accept_for_people(affidavit, answered):
    ran = affidavit(
        "verify", answered / "a.affidavit", *knowing(answered), "--policy", answered / "policy.toml", "--explain"
    )
    assert ran.code == 0
    assert "PASS receipt.signature" in ran.out
    assert "ACCEPT" in ran.out and "0 bits" in ran.out  # simulated evidence is the weakest method, and says so
    assert "integrity score" in ran.out and "ledger" in ran.out


def test_unverifiable_without_a_policy(affidavit, answered):
    ran = affidavit("verify", answered / "a.affidavit", *knowing(answered))
    assert ran.code == 20
    assert "UNVERIFIABLE(evidence.type.not-accepted)" in ran.out
    assert "what to do:" in ran.out


def test_reject(affidavit, answered):
    arguments = knowing(answered)
    arguments[-1] = "ab" * 32
    ran = affidavit("verify", answered / "a.affidavit", *arguments, "--policy", answered / "policy.toml", "--json")
    assert ran.code == 10
    assert (ran.json["verdict"], ran.json["code"]) == ("REJECT", "request.nonce.mismatch")
    assert not ran.json.get("answer")


def test_malformed(affidavit, answered):
    data = (answered / "a.affidavit").read_bytes()
    (answered / "cut.affidavit").write_bytes(data[:-10])
    ran = affidavit("verify", answered / "cut.affidavit", "--json")
    assert ran.code == 30
    assert ran.json["code"] == "affidavit.container.truncated"


def test_ours(affidavit, place):
    ran = affidavit("verify", place / "nowhere.affidavit")
    assert ran.code == 1
    assert "file.unreadable" in ran.err


def test_usage(affidavit):
    assert affidavit("verify").code == 2
    assert affidavit("conjure").code == 2


def test_help_and_version(affidavit):
    commands = (
        "compile|run|verify|inspect|recheck|prove|verify-proof|commitment|demo|policy|policy new|policy check"
        "|node|node serve|node keys|node enrol"
    )
    for command in ["", *commands.split("|"), "verifier", "verifier serve", "verifier registrar"]:
        ran = affidavit(*command.split(), "--help")
        assert ran.code == 0 and "Usage" in ran.out
    assert affidavit("--version").out.startswith("affidavit 0.")


def test_inspect_believes_nothing(affidavit, answered):
    ran = affidavit("inspect", answered / "a.affidavit")
    assert ran.code == 0
    assert ran.json["trusted"] is False
    assert ran.json["receipt"]["nonce"] == NONCE.hex()


@pytest.mark.parametrize("engine", ["onnxruntime", "reference"])
def test_recheck_agrees(affidavit, answered, engine):
    ran = affidavit(
        "recheck", answered / "a.affidavit", "--model", answered / "small.circuit", "--input", answered / "x.npz",
        "--engine", engine, "--json",
    )  # fmt: skip
    assert ran.code == 0
    assert ran.json["agrees"] and ran.json["tensors"] == len(small_circuit().tensors)


def test_recheck_needs_what_the_file_lacks(affidavit, answered):
    ran = affidavit("recheck", answered / "a.affidavit")
    assert (ran.code, "recheck.circuit.missing" in ran.err) == (20, True)
    ran = affidavit("recheck", answered / "a.affidavit", "--model", answered / "small.circuit")
    assert (ran.code, "recheck.input.missing" in ran.err) == (20, True)


def test_recheck_of_another_input_or_model_is_no_recheck(affidavit, answered):
    np.savez(answered / "y.npz", x=inputs(9)["x"])
    ran = affidavit(
        "recheck", answered / "a.affidavit", "--model", answered / "small.circuit", "--input", answered / "y.npz"
    )
    assert (ran.code, "request.input.mismatch" in ran.err) == (10, True)
    (answered / "other.circuit").write_bytes(dump_circuit(small_circuit(weight=4)))
    ran = affidavit(
        "recheck", answered / "a.affidavit", "--model", answered / "other.circuit", "--input", answered / "x.npz"
    )
    assert (ran.code, "model.circuit.mismatch" in ran.err) == (10, True)


def test_a_signed_recheck_counts_where_its_key_is_listed(affidavit, answered, monkeypatch):
    monkeypatch.setenv("AFFIDAVIT_DATA", str(answered / "rechecker"))
    ran = affidavit(
        "recheck", answered / "a.affidavit", "--model", answered / "small.circuit", "--input", answered / "x.npz",
        "-o", answered / "b.affidavit", "--json",
    )  # fmt: skip
    assert ran.code == 0
    from node.keys import NodeKeys

    key = NodeKeys.open(answered / "rechecker").public.signing
    policy = (answered / "policy.toml").read_text().replace("[require]\n", "[require]\ninput = false\n")
    policy += f'[keys]\nrecheckers = ["{key.hex()}"]\n[models]\nallowed = ["{small_circuit().digest.hex()}"]\n'
    (answered / "listing.toml").write_text(policy)
    known = ["--nonce", NONCE.hex(), "--policy", answered / "listing.toml"]
    assert affidavit("verify", answered / "a.affidavit", *known).code == 20
    ran = affidavit("verify", answered / "b.affidavit", *known, "--json")
    assert ran.code == 0, json.dumps(ran.json, indent=1)


def test_what_is_not_built_is_refused(affidavit, place):
    ran = affidavit(
        "run", place / "small.circuit", "--input", place / "x.npz", "-o", place / "a.affidavit", "--private"
    )
    assert ran.code == 20 and "fhe.unsupported" in ran.err
    assert not (place / "a.affidavit").exists()


def test_registrar(affidavit, place):
    arguments = ["verifier", "registrar", "--key", place / "ca.key", "--certificate", place / "ca.pem"]
    assert affidavit(*arguments).code == 0
    assert (place / "ca.key").stat().st_mode & 0o777 == 0o600
    again = affidavit(*arguments)
    assert again.code == 1 and "file.exists" in again.err
