# SPDX-License-Identifier: AGPL-3.0-or-later
"""The command line: demo, re-check with and without what it needs, seeds, presets, plans."""

from __future__ import annotations

import pytest

from affidavit.local import LocalClient
from affidavit.private import PrivateSession
from tests.cli.conftest import affidavit  # noqa: F401 - the fixture
from tests.private.making import blob_of, inputs, network, policy
from verifier import read_affidavit


@pytest.fixture
def file(answered, tmp_path):
    path = tmp_path / "answer.affidavit"
    path.write_bytes(answered[1])
    return path


def test_recheck_executes_again(affidavit, file, circuit_file, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setenv("AFFIDAVIT_DATA", str(tmp_path / "auditor"))
    ran = affidavit("recheck", file, "--model", circuit_file, "-o", tmp_path / "signed.affidavit", "--json")
    assert ran.code == 0, ran.out + ran.err
    assert ran.json["encrypted"] and ran.json["agrees"] and ran.json["gates"] == 1
    told = affidavit("recheck", file, "--model", circuit_file)
    assert told.code == 0 and "PASS executing 1 gate again on the ciphertexts gives the signed answer" in told.out
    signed = read_affidavit((tmp_path / "signed.affidavit").read_bytes())
    ((envelope, statement),) = signed.rechecks.values()
    assert statement.agrees and envelope.key_id == ran.json["signer"]


def test_recheck_says_what_it_needs(affidavit, answered, session, circuit_file, tmp_path):  # noqa: F811
    from verifier.affidavit import write_affidavit

    parsed = read_affidavit(answered[1])
    path = tmp_path / "bare.affidavit"
    path.write_bytes(write_affidavit({"receipt": parsed.receipt_envelope}, {"output": blob_of(answered[1], "output")}))
    ran = affidavit("recheck", path, "--model", circuit_file)
    assert ran.code == 20 and "recheck.request.missing" in ran.err
    for name, data in (("request", answered[0].ciphertexts), ("keys", session.evaluation_keys)):
        (tmp_path / name).write_bytes(data)
    options = ["--ciphertexts", tmp_path / "request", "--keys", tmp_path / "keys"]
    ran = affidavit("recheck", path, "--model", circuit_file, *options)
    assert ran.code == 0 and "bit for bit" in ran.out
    ran = affidavit("recheck", path, "--model", circuit_file, "--ciphertexts", tmp_path / "keys")
    assert ran.code == 10 and "private.request.mismatch" in ran.err
    ran = affidavit("recheck", path, "--model", circuit_file, *options, "--seed", "00" * 32)
    assert ran.code == 10 and "private.seed.mismatch" in ran.err
    ran = affidavit("recheck", path)
    assert ran.code == 20 and "recheck.circuit.missing" in ran.err


def test_others_verify_under_what_the_client_gives_them(affidavit, node, circuit_file, tmp_path):  # noqa: F811
    """Nonce and input of an answer, pinned in a policy: without the input nobody knows what was asked."""
    answer = PrivateSession(network()).infer(LocalClient(node, policy=policy(node)), inputs(), embed_input=True)
    (tmp_path / "answer.affidavit").write_bytes(answer.affidavit)
    pinned = [f'nonce = "{answer.nonce.hex()}"', f'input = "{answer.input.hex()}"', f'input = "{"00" * 32}"']
    for lines, code, said in (
        (pinned[:2], 0, "ACCEPT"),
        (pinned[:1], 20, "request.input.unknown"),
        ([pinned[0], pinned[2]], 10, "request.input.mismatch"),
    ):
        (tmp_path / "policy.toml").write_text(
            'format = "policy@v1"\nprofile = "development"\n[require]\nassurance = ["signed", "private"]\n'
            + "\n".join(["[request]", *lines, "[keys]", f'nodes = ["{node.keys.signing.hex()}"]', ""])
            + "[evidence]\nunsafe_accept_simulated = true\n"
        )
        ran = affidavit(
            "verify", tmp_path / "answer.affidavit", "--policy", tmp_path / "policy.toml", "--model", circuit_file
        )
        assert ran.code == code and said in ran.out, ran.out + ran.err


def test_a_lie_fails_recheck(affidavit, node, session, answered, circuit_file, tmp_path):  # noqa: F811
    from affidavit.demo import private_lies as lies
    from node.keys import NodeKeys

    question, genuine = answered
    lie = lies.other_weights(
        genuine,
        lies.half_the_work(network()),
        NodeKeys.open(node.data_dir),
        request=question.ciphertexts,
        evaluation_keys=session.evaluation_keys,
    )
    for name, data in (("lie", lie), ("request", question.ciphertexts), ("keys", session.evaluation_keys)):
        (tmp_path / name).write_bytes(data)
    options = ["--model", circuit_file, "--ciphertexts", tmp_path / "request", "--keys", tmp_path / "keys"]
    ran = affidavit("recheck", tmp_path / "lie", *options)
    assert ran.code == 10 and "recheck.encrypted.mismatch" in ran.out


def test_the_node_opens_its_seed_to_an_auditor(affidavit, node, circuit_file, file, tmp_path):  # noqa: F811
    local = LocalClient(node, policy=policy(node))
    protected = PrivateSession(network(), last=1, preset="lin8", protected=True)
    path = tmp_path / "protected.affidavit"
    path.write_bytes(protected.infer(local, inputs(), embed_input=True).affidavit)
    ran = affidavit("recheck", path, "--model", circuit_file)
    assert ran.code == 20 and "recheck.seed.missing" in ran.err
    opened = affidavit("node", "open-seed", path, "--data", node.data_dir)
    assert opened.code == 0
    ran = affidavit("recheck", path, "--model", circuit_file, "--seed", opened.out.strip())
    assert ran.code == 0, ran.out + ran.err
    ran = affidavit("recheck", path, "--model", circuit_file, "--seed", "00" * 32)
    assert ran.code == 10 and "fhe.seed.mismatch" in ran.err
    assert affidavit("node", "open-seed", file, "--data", node.data_dir).code == 20
    nobody = affidavit("node", "open-seed", path, "--data", tmp_path / "stranger")
    assert nobody.code == 1 and "node.keys.unreadable" in nobody.err and not (tmp_path / "stranger").exists()
    assert affidavit("node", "keys", "--data", tmp_path / "stranger").code == 0
    stranger = affidavit("node", "open-seed", path, "--data", tmp_path / "stranger")
    assert stranger.code == 10 and "private.seed.mismatch" in stranger.err


def test_the_demo_tells_the_truth(affidavit, tmp_path):  # noqa: F811
    out = tmp_path / "out"
    ran = affidavit("demo", "--private", "-o", out, "--digit", "7")
    assert ran.code == 0, ran.out + ran.err
    assert "decrypted by the client: this is a 9" in ran.out
    assert ran.out.count("REJECT(recheck.disagrees)") == 3
    assert "REJECT(private.keys.mismatch)" in ran.out and "REJECT(private.interface.mismatch)" in ran.out
    model = ["--policy", out / "policy.toml", "--model", out / "square-mlp.circuit"]
    ran = affidavit("verify", *model, out / "private.affidavit")
    assert ran.code == 0, ran.out
    for name in ("other-weights", "half-the-work", "no-work", "other-keys", "other-preset"):
        ran = affidavit("verify", *model, out / f"{name}.affidavit")
        assert ran.code == 10, ran.out
    assert affidavit("inspect", out / "private.affidavit").json["receipt"]["fhe"]["preset"] == "mlp1"


def test_only_the_images_there_are(affidavit, tmp_path):  # noqa: F811
    ran = affidavit("demo", "--private", "-o", tmp_path / "out", "--digit", "100")
    assert ran.code == 30 and "option.malformed" in ran.err and not (tmp_path / "out").exists()
