# SPDX-License-Identifier: AGPL-3.0-or-later
"""The committed files give the verdicts that their manifest states, for the stated reason."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from circuits import load_circuit
from tests.vectors.affidavit.generate import generate
from verifier import Known, parse_policy, verify

FOLDER = Path(__file__).resolve().parents[1] / "vectors" / "affidavit"
MANIFEST = json.loads((FOLDER / "manifest.json").read_text())


@pytest.mark.parametrize("vector", MANIFEST["vectors"], ids=lambda vector: vector["name"])
def test_vector(vector):
    known = Known(
        circuit=None
        if vector["code"] == "model.circuit.not-allowed"
        else load_circuit((FOLDER / "small.circuit").read_bytes()),
        inputs={name: np.array(values, np.float32) for name, values in MANIFEST["inputs"].items()},
    )
    result = verify(
        (FOLDER / f"{vector['name']}.affidavit").read_bytes(),
        at=datetime.fromisoformat(MANIFEST["at"]),
        policy=parse_policy((FOLDER / "policy.toml").read_bytes()),
        known=known,
    )
    assert (result.verdict.value, result.code) == (vector["verdict"], vector["code"])


def test_the_committed_files_are_what_the_generator_makes(tmp_path):
    generate(tmp_path)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    kept = {
        path.name: path.read_bytes()
        for path in FOLDER.iterdir()
        if path.suffix not in (".py", ".pyc") and path.is_file()
    }
    assert made == kept
