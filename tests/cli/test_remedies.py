# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whoever gives the wrong file, type or option is told what to do about it."""

from __future__ import annotations

import pytest

from attestation import raw
from attestation.formats import FORMATS
from tests.attestation import paper

NAMES = sorted(scheme.name for scheme in FORMATS.values() if not scheme.simulated)


@pytest.fixture
def files(tmp_path):
    (tmp_path / "quote.json").write_bytes(raw.members_document("tpm2-quote@v1", paper.PaperTpm().members()))
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_bytes(b"This is not evidence.")
    (tmp_path / "zeros").write_bytes(bytes(1184))
    (tmp_path / "certificate.pem").write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("file", ["empty", "text", "zeros", "missing"])
def test_files_that_are_no_evidence(affidavit, files, name, file):
    ran = affidavit("appraise", "--type", name, "--evidence", files / file, "--json")
    assert ran.code in (1, 20, 30) and ran.json["verdict"] != "ACCEPT"
    assert ran.json["code"] and ran.json["message"] and ran.json["remedy"]


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"tpm2"}))
def test_evidence_of_another_type(affidavit, files, name):
    """Our own JSON says its type, and the vendors' forms are known by what is in them."""
    ran = affidavit("appraise", "--type", name, "--evidence", files / "quote.json", "--json")
    assert ran.code in (20, 30)
    assert ran.json["remedy"] == "it reads as tpm2: ask with --type tpm2"


def test_simulated_evidence_is_not_to_be_listed(affidavit, files):
    ran = affidavit("appraise", "--type", "simulated", "--evidence", files / "text", "--json")
    assert ran.code == 20 and "unsafe_accept_simulated" in ran.json["remedy"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--nonce", "xyz"], ["--at", "yesterday"], ["--at", "1969-12-31T23:59:59Z"], ["--policy", "text"],
        ["--policy", "empty"], ["--reference", "text"], ["--reference", "empty"],
        ["--collateral", "certificate.pem"],
        ["--collateral", "text"], ["--collateral", "missing"], ["--sign-key", "text"], ["--ear-out", "result"],
    ],
)  # fmt: skip
def test_options(affidavit, files, monkeypatch, arguments):
    monkeypatch.chdir(files)
    ran = affidavit("appraise", "--type", "tpm2", "--evidence", "quote.json", *arguments, "--json")
    assert ran.code in (1, 30)
    assert ran.json["code"] and ran.json["remedy"]
    assert "affidavit (zip" not in ran.json["message"]


def test_a_policy_is_not_read_beyond_its_limit(affidavit, files):
    with (files / "huge").open("wb") as stream:
        stream.truncate(1 << 40)
    ran = affidavit("policy", "check", files / "huge")
    assert ran.code == 30 and "file.too-large" in ran.err


@pytest.mark.parametrize("file", ["empty", "text", "certificate.pem"])
def test_results(affidavit, files, file):
    for given in ([files / file, "--key", files / "text"], [files / "text", "--key", files / file]):
        ran = affidavit("ear", "verify", *given, "--json")
        assert ran.code == 30 and ran.json["remedy"]
