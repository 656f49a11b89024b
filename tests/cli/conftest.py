# SPDX-License-Identifier: AGPL-3.0-or-later
"""The command line as a user has it: arguments in; exit code, output and files out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affidavit.cli import main
from circuits import dump_circuit
from tests.verifier.making import NONCE, inputs, small_circuit


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def affidavit(monkeypatch, capsys) -> Callable[..., Ran]:
    def run(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["affidavit", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "200")
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else 0
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err + captured.out
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A folder with a circuit, its input, and room for a node."""
    (tmp_path / "small.circuit").write_bytes(dump_circuit(small_circuit()))
    np.savez(tmp_path / "x.npz", x=inputs()["x"])
    monkeypatch.setenv("AFFIDAVIT_DATA", str(tmp_path / "node"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def answered(affidavit, place) -> Path:
    """The same, after ``affidavit run`` with simulated evidence."""
    ran = affidavit(
        "run", place / "small.circuit", "--input", place / "x.npz", "-o", place / "a.affidavit",
        "--nonce", NONCE.hex(), "--evidence", "simulated",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    (place / "policy.toml").write_text(
        'format = "policy@v1"\nprofile = "development"\n[require]\nassurance = ["signed", "attested", "rechecked"]\n'
        "[evidence]\nunsafe_accept_simulated = true\n"
    )
    return place
