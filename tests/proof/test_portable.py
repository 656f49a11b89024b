# SPDX-License-Identifier: AGPL-3.0-or-later
"""The verifier without numba: same verdicts from numpy alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from circuits import dump_circuit
from prover import prove
from tests.proof.models import CONTEXT, mixed, sample

PROGRAM = """
import sys
sys.modules["numba"] = None  # importing it fails
import numpy as np
from circuits import load_circuit
from verifier.errors import RejectedError
from verifier.proof import verify_proof
from verifier.proof import vectors, portable
assert vectors.compiled is portable
folder = sys.argv[1]
circuit = load_circuit(open(folder + "/circuit", "rb").read())
arrays = dict(np.load(folder + "/arrays.npz"))
inputs = {k[2:]: v for k, v in arrays.items() if k.startswith("i_")}
outputs = {k[2:]: v for k, v in arrays.items() if k.startswith("o_")}
proof = open(folder + "/proof", "rb").read()
context = bytes(range(32))
print(verify_proof(proof, circuit=circuit, inputs=inputs, outputs=outputs, context=context).bits >= 100)
try:
    verify_proof(proof, circuit=circuit, inputs=inputs, outputs=outputs, context=bytes(32))
except RejectedError as error:
    print(error.code)
"""


def test_without_numba(tmp_path):
    circuit = mixed()
    inputs = sample(circuit, 2)
    proof = prove(circuit, inputs, context=CONTEXT)
    (tmp_path / "circuit").write_bytes(dump_circuit(circuit))
    (tmp_path / "proof").write_bytes(proof.bytes)
    named = {f"i_{k}": v for k, v in inputs.items()} | {f"o_{k}": v for k, v in proof.outputs.items()}
    np.savez(tmp_path / "arrays.npz", **named)  # type: ignore[arg-type]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, str(tmp_path)],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["True", "proof.lookup.round-mismatch"], done.stderr
