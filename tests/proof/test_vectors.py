# SPDX-License-Identifier: AGPL-3.0-or-later
"""Stored proofs verify, and the prover still writes the same bytes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from circuits import load_circuit
from tests.proof import vectors
from verifier.proof import load_outline, verify_proof

MANIFEST = json.loads((vectors.FOLDER / "manifest.json").read_text())


@pytest.mark.parametrize("case", sorted(MANIFEST))
def test_stored(case):
    entry, (name, mode) = MANIFEST[case], case.split(".")
    digest = bytes.fromhex(entry["circuit"])
    if mode == "committed":
        circuit = load_outline((vectors.FOLDER / f"{name}.outline").read_bytes(), digest)
        root = bytes.fromhex(entry["weights_commitment"])
    else:
        circuit, root = load_circuit((vectors.FOLDER / f"{name}.circuit").read_bytes()), None
        assert circuit.digest == digest
    arrays = {
        key: {p.name: np.load(vectors.FOLDER / f"{name}.{key}.{p.name}.npy") for p in ports}
        for key, ports in (("inputs", circuit.inputs), ("outputs", circuit.outputs))
    }
    verify_proof(
        (vectors.FOLDER / f"{case}.proof").read_bytes(),
        circuit=circuit,
        inputs=arrays["inputs"],
        outputs=arrays["outputs"],
        context=bytes.fromhex(entry["context"]),
        weights_commitment=root,
    )


def test_regenerated():
    for name, data in vectors.files().items():
        assert (vectors.FOLDER / name).read_bytes() == data, name
