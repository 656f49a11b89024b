# SPDX-License-Identifier: AGPL-3.0-or-later
"""Others' words on a terminal, outputs that lack characters or room: no faked line, no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from affidavit.cli.terminal import escape
from tests.conftest import ROOT

FULL = Path("/dev/full")
NAME = b"x\xff\x1b[2J\x9b\nACCEPT.pem"
SHOWN = r"x\udcff\x1b[2J"


def ran(*arguments: object, encoding: str = "utf-8:strict", **options):
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, "-m", "affidavit", *map(os.fsencode, map(str, arguments))],
        env=environment, capture_output="stdout" not in options, timeout=60, **options,
    )  # fmt: skip


def test_what_is_shown_of_a_text():
    assert escape("plain [text] with é and 漢") == "plain \\[text] with é and 漢"
    assert escape("a\x1b[31m\r\nb\x9b\ud800\u202e") == "a\\x1b[31m\\r\\nb\\x9b\\ud800\\u202e"


@pytest.fixture
def hostile_folder(tmp_path) -> Path:
    try:
        (Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + NAME))).write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes no such name")
    (tmp_path / "evidence").write_bytes(bytes(1184))
    return tmp_path


@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii:strict"])
def test_names_of_files(hostile_folder, encoding):
    given = ("appraise", "--type", "snp", "--evidence", hostile_folder / "evidence", "--collateral", hostile_folder)
    said = ran(*given, encoding=encoding)
    assert said.returncode == 30 and b"Traceback" not in said.stderr
    assert SHOWN.encode() in said.stdout and b"\x1b" not in said.stdout and b"\nACCEPT" not in said.stdout
    as_json = ran(*given, "--json", encoding=encoding)
    listed = json.loads(as_json.stdout)["collateral"]["ignored"]
    assert [os.fsencode(entry["file"]) for entry in listed if entry["code"] == "file.empty"] == [NAME]
    missing = ran("appraise", "--type", "snp", "--evidence", os.fsdecode(NAME), "--json", encoding=encoding)
    assert missing.returncode == 1 and json.loads(missing.stdout)["code"] == "file.unreadable"


@pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")
@pytest.mark.parametrize("more", [[], ["--json"]])
def test_an_output_without_room(tmp_path, more):
    (tmp_path / "evidence").write_bytes(bytes(1184))
    for evidence in ("evidence", "missing"):
        with FULL.open("wb") as full:
            said = ran(
                "appraise", "--type", "snp", "--evidence", tmp_path / evidence, *more,
                stdout=full, stderr=subprocess.PIPE,
            )  # fmt: skip
        assert said.returncode == 1 and b"Traceback" not in said.stderr
        assert b"system.refused" in said.stderr or b"file.unreadable" in said.stderr
