# SPDX-License-Identifier: AGPL-3.0-or-later
"""How close the circuit is to the float model, measured on the evaluation (else the calibration) samples."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from circuits import Circuit, decode_outputs, encode_inputs
from circuits.compiler.execution import Execution
from circuits.compiler.float_model import FloatModel
from circuits.compiler.lowering import Scene
from circuits.compiler.model import Model
from circuits.compiler.options import Progress
from circuits.compiler.score import Score
from circuits.ops.forms import Softmax
from circuits.ops.operator import Array

CHUNK = 64
MEMORY = 1 << 29
"""Bytes of exposed tensors held at once."""


def measure(
    circuit: Circuit, scene: Scene, model: Model, samples: Mapping[str, Array], name: str, progress: Progress
) -> dict[str, object]:
    """The quality record: sample counts, and per output what `Score.report` says. `name`: which set it is.

    Samples outside the input ranges are counted as refused, and not compared.
    """
    inside = np.ones(len(next(iter(samples.values()))), dtype=bool)
    for port in circuit.inputs:
        flat = samples[port.name].reshape(len(inside), -1).astype(np.float64)
        inside &= (flat >= port.real_lo).all(axis=1) & (flat <= port.real_hi).all(axis=1)
    record: dict[str, object] = {
        "set": name,
        "samples": int(inside.sum()),
        "refused": int((~inside).sum()),
    }
    if inside.any():
        kept = {name: value[inside] for name, value in samples.items()}
        record["outputs"] = _compare(circuit, scene, model, kept, progress)
    return record


def _compare(
    circuit: Circuit, scene: Scene, model: Model, kept: Mapping[str, Array], progress: Progress
) -> dict[str, object]:
    program, total = scene.program, len(next(iter(kept.values())))
    scores = {o: Score(t in program.integers, _logits(scene, t) is not None) for o, t in program.outputs.items()}
    logits = {o: n for o, t in program.outputs.items() if (n := _logits(scene, t)) is not None}
    floats = FloatModel(model, list(logits.values()))
    run = Execution(circuit, expose_all=bool(logits))
    per_sample = sum(4 * t.elements for t in circuit.tensors)
    size = max(1, min(CHUNK, MEMORY // per_sample))
    done = 0
    for wanted in floats.chunks(kept, list(dict.fromkeys([*program.outputs, *logits.values()])), size):
        count = len(next(iter(wanted.values())))
        integers = encode_inputs(circuit, {n: v[done : done + count] for n, v in kept.items()})
        ports = [p.tensor for p in circuit.outputs]
        arrays = run.tensors(integers, ports + [scene.tensors[n] for n in logits.values()])
        found = decode_outputs(circuit, {p.name: a for p, a in zip(circuit.outputs, arrays, strict=False)})
        for public, score in scores.items():
            score.add(wanted[public], found[public])
        for (public, name), inner in zip(logits.items(), arrays[len(ports) :], strict=True):
            scores[public].add_logits(wanted[name], inner * scene.scales[name])
        done += count
        progress("measure", done, total)
    return {public: score.report() for public, score in scores.items()}


def _logits(scene: Scene, tensor: str) -> str | None:
    """The float tensor that a Softmax output was computed from."""
    form = scene.program.forms.get(tensor)
    return form.input if isinstance(form, Softmax) and math.prod(scene.program.shapes[tensor]) > 0 else None
