# SPDX-License-Identifier: AGPL-3.0-or-later
"""One work, compiled in one process, proved and verified in another."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from benchmarks.models import float_session
from benchmarks.process import peak_mb
from benchmarks.timing import interleaved
from benchmarks.works import WORKS
from circuits import Circuit, dump_circuit, encode_inputs, load_circuit
from circuits.circuit import IntArray
from circuits.compiler import compile_model
from circuits.cost import cost
from node.runtime import Runtime
from prover import Proof, commit_weights, prove
from prover.warm import warm
from verifier.proof import verify_proof

Mode = Literal["held", "committed"]
CONTEXT = hashlib.sha256(b"affidavit benchmark").digest()
SECONDS = 20.0
"""What one measurement may take, about: slow work is measured in fewer rounds, but in 3 or more."""


def build(name: str, folder: Path) -> dict[str, Any]:
    """Compile and execute a work; leaves ``model.onnx``, ``model.circuit``, ``input.npz``, ``execution.npz``.

    Returns what the circuit is and how long compiling and executing it took: ``execute_s`` is onnxruntime on all
    cores, giving every tensor.
    """
    work = WORKS[name]
    model, inputs = work.model(), work.inputs()
    started = time.perf_counter()
    circuit = compile_model(model, work.calibration())
    compile_s = time.perf_counter() - started
    encoded = encode_inputs(circuit, inputs)
    runtime = Runtime(circuit, threads=os.cpu_count() or 1)
    tensors = runtime.trace(encoded)
    executed = interleaved({"execute": partial(runtime.trace, encoded)}, rounds=5, warm=1)["execute"]
    (folder / "model.onnx").write_bytes(model)
    (folder / "model.circuit").write_bytes(dump_circuit(circuit))
    write_arrays(folder / "input.npz", inputs)
    np.savez(folder / "execution.npz", *tensors)
    return {
        "batch": len(tensors[0]),
        "gates": len(circuit.gates),
        "multiplications": cost(circuit).multiplications,
        "compile_s": compile_s,
        "execute_s": executed,
        "model_sha256": hashlib.sha256(model).hexdigest(),
        "circuit_digest": circuit.digest.hex(),
    }


def write_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """As .npz."""
    kept: dict[str, Any] = dict(arrays)
    np.savez(path, **kept)


def read_circuit(folder: Path) -> tuple[Circuit, dict[str, IntArray]]:
    """The circuit and its encoded inputs."""
    circuit = load_circuit((folder / "model.circuit").read_bytes())
    with np.load(folder / "input.npz") as loaded:
        return circuit, encode_inputs(circuit, dict(loaded))


def measure_case(name: str, folder: Path, mode: Mode, rounds: int) -> dict[str, Any]:
    """Prove and verify in turn, for `rounds` rounds or about `SECONDS`; in turn with the float model where asked.

    The execution is given to the prover, and not timed.  ``set_up_s`` is the commitment to the weights, made cold,
    and ``first_s`` the first proof after it, which plans as well.
    """
    warm()
    circuit, inputs = read_circuit(folder)
    with np.load(folder / "execution.npz") as loaded:
        tensors = [loaded[key] for key in loaded.files]
    started = time.perf_counter()
    root = commit_weights(circuit).root if mode == "committed" else None
    set_up_s = time.perf_counter() - started
    proofs: list[Proof] = []
    phases: list[dict[str, float]] = []

    def once() -> None:
        proofs[:] = [prove(circuit, inputs, context=CONTEXT, mode=mode, tensors=tensors)]
        phases.append(proofs[0].timings)

    def check() -> None:
        made = proofs[0]
        verify_proof(
            made.bytes,
            circuit=circuit,
            inputs=inputs,
            outputs=made.outputs,
            context=CONTEXT,
            weights_commitment=root,
        )

    started = time.perf_counter()
    once()
    first_s = time.perf_counter() - started
    check()
    phases.clear()
    turns = {"prove_s": once, "verify_s": check}
    if WORKS[name].against_float:
        session = float_session((folder / "model.onnx").read_bytes(), os.cpu_count() or 1)
        with np.load(folder / "input.npz") as loaded:
            turns["float_s"] = partial(session.run, None, dict(loaded))
    timed = interleaved(turns, rounds=max(3, min(rounds, int(SECONDS / first_s))), warm=0, pause=0.02)
    figures: dict[str, Any] = {
        "mode": mode,
        **timed,
        "proof_bytes": len(proofs[0].bytes),
        "soundness_bits": proofs[0].soundness_bits,
        "first_s": first_s,
        "set_up_s": set_up_s if mode == "committed" else None,
        "peak_mb": peak_mb(),
        "phases_median_s": {phase: float(np.median([p[phase] for p in phases])) for phase in phases[0]},
    }
    if "float_s" in timed:
        figures["float_ratio"] = timed["prove_s"]["median_s"] / timed["float_s"]["median_s"]
    return figures
