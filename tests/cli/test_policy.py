# SPDX-License-Identifier: AGPL-3.0-or-later
"""Policies written by the command line are read by the verifier, and mean what was asked for."""

from __future__ import annotations

from cryptography import x509

from tests.verifier.making import NODE, NONCE, RECHECKER, public, small_circuit
from verifier import parse_policy


def test_a_policy_for_ones_own_node(affidavit, answered):
    keys = affidavit("node", "keys", "--json").json
    path = answered / "mine.toml"
    ran = affidavit("policy", "new", "-o", path, "--node", keys["signing"], "--circuit", answered / "small.circuit")
    assert ran.code == 0 and "note" not in ran.out
    policy = parse_policy(path.read_bytes())
    assert policy.profile == "production" and policy.assurance == ("signed", "rechecked")
    assert policy.models == {small_circuit().digest}
    known = ["--model", answered / "small.circuit", "--input", answered / "x.npz", "--nonce", NONCE.hex()]
    ran = affidavit("verify", answered / "a.affidavit", *known, "--policy", path)
    assert ran.code == 0, ran.out
    assert "128 bits" in ran.out


def test_everything_that_can_be_trusted(affidavit, place):
    affidavit("verifier", "registrar", "--key", place / "ca.key", "--certificate", place / "ca.pem")
    path = place / "p.toml"
    ran = affidavit(
        "policy", "new", "-o", path, "--node", public(NODE).hex(), "--rechecker", public(RECHECKER).hex(),
        "--ek-root", place / "ca.pem", "--ak-issuer", place / "ca.pem", "--no-recheck",
    )  # fmt: skip
    assert ran.code == 0
    policy = parse_policy(path.read_bytes())
    assert policy.assurance == ("signed", "attested")
    assert policy.evidence == ("tpm2-quote@v1",)
    assert policy.nodes == {public(NODE)} and policy.recheckers == {public(RECHECKER)}
    (root,), (issuer,) = policy.trust["tpm2"].ek_roots, policy.trust["tpm2"].ak_issuers
    assert root == issuer
    assert "attestation CA" in x509.load_der_x509_certificate(root).subject.rfc4514_string()
    ran = affidavit("policy", "check", path)
    assert ran.code == 0 and "1 node keys" in ran.out and "unsafe" not in ran.out


def test_trusting_nobody_is_said(affidavit, place):
    ran = affidavit("policy", "new", "-o", place / "p.toml")
    assert ran.code == 0 and "trusts no node yet" in ran.out
    ran = affidavit("policy", "new", "-o", place / "q.toml", "--unsafe-accept-simulated")
    assert parse_policy((place / "q.toml").read_bytes()).profile == "development"
    said = affidavit("policy", "check", place / "q.toml").out
    assert "unsafe" in said and "takes evidence of:" in said


def test_nothing_is_overwritten_and_nothing_odd_is_written(affidavit, place):
    (place / "p.toml").write_text("mine")
    assert "file.exists" in affidavit("policy", "new", "-o", place / "p.toml").err
    assert (place / "p.toml").read_text() == "mine"
    ran = affidavit("policy", "new", "-o", place / "q.toml", "--node", "xyz")
    assert ran.code == 30 and not (place / "q.toml").exists()
    ran = affidavit("policy", "new", "-o", place / "q.toml", "--ek-root", place / "p.toml")
    assert ran.code == 30 and "option.malformed" in ran.err and not (place / "q.toml").exists()
