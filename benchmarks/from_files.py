# SPDX-License-Identifier: AGPL-3.0-or-later
"""Proving and verifying where nothing is at hand but files, in a process whose kernels are loaded.

What a peer's program does on every call, so that the two can be compared: nothing here is kept from call to call.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from benchmarks.proving import CONTEXT, Mode, read_circuit, write_arrays
from circuits import load_circuit
from node.runtime import Runtime
from prover import commit_weights, prove
from prover.warm import warm
from verifier.proof import dump_outline, load_outline, verify_proof


def prove_from_files(folder: Path, mode: Mode) -> float:
    """Seconds to read circuit and input, execute, commit to the weights (mode `committed`), plan and prove.

    Leaves ``proof``, ``digest``, ``inputs.npz``, ``outputs.npz``, and for mode `committed` the circuit without its
    weights (``outline``) and their commitment (``root``).
    """
    warm()
    started = time.perf_counter()
    circuit, inputs = read_circuit(folder)
    tensors = Runtime(circuit, threads=os.cpu_count() or 1).trace(inputs)
    proof = prove(circuit, inputs, context=CONTEXT, mode=mode, tensors=tensors)
    taken = time.perf_counter() - started
    (folder / "proof").write_bytes(proof.bytes)
    (folder / "digest").write_bytes(circuit.digest)
    write_arrays(folder / "inputs.npz", inputs)
    write_arrays(folder / "outputs.npz", proof.outputs)
    if mode == "committed":
        (folder / "outline").write_bytes(dump_outline(circuit))
        (folder / "root").write_bytes(commit_weights(circuit).root)
    return taken


def verify_from_files(folder: Path, mode: Mode) -> float:
    """Seconds to read the model (mode `committed`: all but its weights), statement and proof, plan and verify."""
    warm()
    started = time.perf_counter()
    if mode == "held":
        circuit, root = load_circuit((folder / "model.circuit").read_bytes()), None
    else:
        circuit = load_outline((folder / "outline").read_bytes(), (folder / "digest").read_bytes())
        root = (folder / "root").read_bytes()
    with np.load(folder / "inputs.npz") as inputs, np.load(folder / "outputs.npz") as outputs:
        verify_proof(
            (folder / "proof").read_bytes(),
            circuit=circuit,
            inputs=dict(inputs),
            outputs=dict(outputs),
            context=CONTEXT,
            weights_commitment=root,
        )
    return time.perf_counter() - started
