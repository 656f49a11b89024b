# SPDX-License-Identifier: AGPL-3.0-or-later
"""The demo tells the truth: what it prints is what its files show again, with and without a TPM."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from affidavit.demo import machine
from affidavit.demo.story import invoked_as
from tests.conftest import ROOT
from verifier import parse_policy, read_affidavit

EXPECTED = {
    "answer": (0, "ACCEPT"),
    "model-swapped": (10, "recheck.trace.mismatch"),
    "answer-edited": (10, "answer.output.mismatch"),
    "replayed": (10, "request.nonce.mismatch"),
    "evidence-stripped": (20, "evidence.member.missing"),
}


def check_files(affidavit, out):
    for name, (code, said) in EXPECTED.items():
        ran = affidavit("verify", "--policy", out / "policy.toml", out / f"{name}.affidavit")
        assert ran.code == code, ran.out
        assert said in ran.out


@pytest.mark.swtpm
def test_with_a_software_tpm(affidavit, tmp_path):
    ran = affidavit("demo", "-o", tmp_path / "out", "--digit", "7")
    assert ran.code == 0, ran.out + ran.err
    assert "software TPM" in ran.out
    for _, said in EXPECTED.values():
        assert said in ran.out
    policy = parse_policy((tmp_path / "out/policy.toml").read_bytes())
    tpm = policy.trust["tpm2"]
    assert policy.profile == "production" and tpm.ek_roots and tpm.ak_issuers and tpm.reference_pcrs
    check_files(affidavit, tmp_path / "out")


def test_without_any_tpm(affidavit, tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "software_problem", lambda: "there is no swtpm here")
    ran = affidavit("demo", "-o", tmp_path / "out", "--digit", "7")
    assert ran.code == 0, ran.out + ran.err
    lines = [line for line in ran.out.splitlines() if "evidence will be simulated" in line]
    assert len(lines) == 1 and "apt-get install" in lines[0]
    policy = parse_policy((tmp_path / "out/policy.toml").read_bytes())
    assert policy.profile == "development" and policy.unsafe_accept_simulated
    assert read_affidavit((tmp_path / "out/answer.affidavit").read_bytes()).receipt.evidence[0].type == "simulated@v1"
    check_files(affidavit, tmp_path / "out")


@pytest.mark.parametrize("digit", ["100", "-1"])
def test_only_the_images_there_are(affidavit, tmp_path, digit):
    ran = affidavit("demo", "-o", tmp_path / "out", "--digit", digit)
    assert ran.code == 30 and "option.malformed" in ran.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("started", ["script", "module"])
def test_the_command_that_is_shown_works(monkeypatch, tmp_path, started):
    """Where PATH leads to no `affidavit`: what was started is shown, and can be started again."""
    script = tmp_path / "affidavit"
    script.write_text(f"#!{sys.executable}\nfrom affidavit.cli import main\nmain()\n")
    script.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(sys, "argv", [str(script if started == "script" else ROOT / "affidavit/__main__.py"), "demo"])
    ran = subprocess.run(
        [*invoked_as(), "verify", "--help"], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert ran.returncode == 0 and "affidavit verify" in ran.stdout, ran.stderr


def test_the_command_that_is_shown_is_short_where_it_can_be(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    assert invoked_as() == ["affidavit"]
