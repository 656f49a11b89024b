# SPDX-License-Identifier: AGPL-3.0-or-later
"""A circuit that was compiled without rescaling against its float model, and against labels.

The float model runs in onnxruntime and the circuit in the reference interpreter; nothing of it goes into the circuit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from circuits.circuit import Circuit
from circuits.compiler.score import Score
from circuits.ops.operator import Array
from circuits.reference import evaluate
from circuits.signature import decode_outputs, encode_inputs

CHUNK = 256


def measure_agreement(
    model: bytes, circuit: Circuit, samples: Mapping[str, Array], name: str, labels: Array | None = None
) -> dict[str, object]:
    """The quality of a circuit of one input and one output, as :func:`circuits.compiler.quality.measure` records it.

    Args:
        model: the ONNX file.
        circuit: what it became.
        samples: real inputs by name, batch first.
        name: which set it is.
        labels: int [batch], the right classes, where they are known; adds ``correct`` and ``labelled``.

    Samples outside the input's range are counted as refused, and not compared.
    """
    import onnxruntime

    (port,), (output,) = circuit.inputs, circuit.outputs
    array = samples[port.name].astype(np.float32)
    flat = array.reshape(len(array), -1)
    inside = ((flat >= port.real_lo) & (flat <= port.real_hi)).all(axis=1)
    record: dict[str, object] = {"set": name, "samples": int(inside.sum()), "refused": int((~inside).sum())}
    if not inside.any():
        return record
    kept = array[inside]
    known = None if labels is None or len(labels) != len(array) else labels[inside]
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    score, right = Score(False, False), 0
    (fed,) = [value.name for value in session.get_inputs()]
    for begin in range(0, len(kept), CHUNK):
        chunk = kept[begin : begin + CHUNK]
        wanted = np.asarray(session.run(None, {fed: chunk})[0])
        tensors = evaluate(circuit, encode_inputs(circuit, {port.name: chunk.astype(port.dtype)}))
        found = decode_outputs(circuit, {output.name: tensors[output.tensor]})[output.name]
        score.add(wanted, found.astype(np.float64).reshape(wanted.shape))
        if known is not None:
            right += int((found.reshape(len(chunk), -1).argmax(axis=1) == known[begin : begin + CHUNK]).sum())
    record["outputs"] = {output.name: score.report()}
    if known is not None:
        record |= {"correct": right, "labelled": len(kept)}
    return record
