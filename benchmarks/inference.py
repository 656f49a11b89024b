# SPDX-License-Identifier: AGPL-3.0-or-later
"""Integer circuits against their float models: both in onnxruntime, same threads, interleaved. Goal: at most 1.5."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import numpy as np
import onnxruntime

from benchmarks.models import SUBJECTS, Arrays
from benchmarks.timing import interleaved
from circuits import encode_inputs
from circuits.compiler import compile_model
from circuits.cost import cost
from node.runtime import Runtime

GOAL = 1.5


def _float_session(model: bytes, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def measure(rounds: int) -> dict[str, Any]:
    """For each model, batch and thread count: both medians and their ratio; compile time and quality once."""
    results: dict[str, Any] = {"goal_ratio": GOAL, "models": {}}
    for subject in SUBJECTS:
        model, inputs = subject.model(), subject.inputs()
        started = time.perf_counter()
        circuit = compile_model(model, inputs)
        entry: dict[str, Any] = {
            "compile_s": time.perf_counter() - started,
            "gates": len(circuit.gates),
            "multiplications": cost(circuit).multiplications,
            "quality": dict(circuit.quality),
            "runs": [],
        }
        for threads in (1, 2):
            session, runtime = _float_session(model, threads), Runtime(circuit, threads=threads)
            for batch in subject.batches:
                arrays: Arrays = {name: np.resize(array, (batch, *array.shape[1:])) for name, array in inputs.items()}
                encoded = encode_inputs(circuit, arrays)
                timed = interleaved(
                    {
                        "float": partial(session.run, None, arrays),
                        "integer": partial(runtime.run, encoded),
                        "trace": partial(runtime.trace, encoded),
                    },
                    rounds=rounds,
                )
                ratio = timed["integer"]["median_s"] / timed["float"]["median_s"]
                entry["runs"].append({"threads": threads, "batch": batch, "ratio": ratio, **timed})
        results["models"][subject.name] = entry
    return results
