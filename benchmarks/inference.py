# SPDX-License-Identifier: AGPL-3.0-or-later
"""Integer circuits against their float models: both in onnxruntime, same threads, interleaved. Goal: at most 1.5."""

from __future__ import annotations

import time
from collections.abc import Collection
from functools import partial
from typing import Any

import numpy as np

from benchmarks.models import SUBJECTS, Arrays, float_session
from benchmarks.timing import interleaved
from circuits import encode_inputs
from circuits.compiler import compile_model
from circuits.cost import cost
from circuits.emission import to_onnx
from node.runtime import Runtime

GOAL = 1.5


def measure(rounds: int, only: Collection[str] = ()) -> dict[str, Any]:
    """For each model, batch and thread count: both medians and their ratio; compile time and quality once.

    ``integer`` is the circuit's graph in a bare session like the float model's; ``checked`` is the node's runtime,
    which checks the bounds of what goes in and comes out as well.
    """
    results: dict[str, Any] = {"goal_ratio": GOAL, "models": {}}
    for subject in SUBJECTS:
        if only and subject.name not in only:
            continue
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
            session, runtime = float_session(model, threads), Runtime(circuit, threads=threads)
            emission = to_onnx(circuit)
            bare = float_session(emission.model, threads)
            for batch in subject.batches:
                arrays: Arrays = {name: np.resize(array, (batch, *array.shape[1:])) for name, array in inputs.items()}
                encoded = encode_inputs(circuit, arrays)
                feed = {
                    name: encoded[port.name].astype(np.float64 if wide else np.float32)
                    for port, (name, wide) in zip(circuit.inputs, emission.inputs, strict=True)
                }
                timed = interleaved(
                    {
                        "float": partial(session.run, None, arrays),
                        "integer": partial(bare.run, None, feed),
                        "checked": partial(runtime.run, encoded),
                    },
                    rounds=rounds,
                    pause=0.02,
                )
                timed |= interleaved({"trace": partial(runtime.trace, encoded)}, rounds=max(3, rounds // 5), warm=1)
                ratio = timed["integer"]["median_s"] / timed["float"]["median_s"]
                entry["runs"].append({"threads": threads, "batch": batch, "ratio": ratio, **timed})
        results["models"][subject.name] = entry
    return results
