# SPDX-License-Identifier: AGPL-3.0-or-later
"""A compiled circuit against the float model that it came from, and against labels; the circuit is not changed.

:func:`measure_agreement` is for circuits without rescaling; the other compiler measures while it compiles
(:mod:`circuits.compiler.quality`). Both records have the same form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from circuits.circuit import Circuit, Port
from circuits.compiler.execution import Execution
from circuits.compiler.score import Score
from circuits.errors import MalformedError
from circuits.ops.operator import Array
from circuits.signature import decode_outputs, encode_inputs

CHUNK = 256


def measure_agreement(model: bytes, circuit: Circuit, samples: Mapping[str, Array], name: str) -> dict[str, object]:
    """The quality of a circuit of one input and one output.

    Args:
        model: the ONNX file.
        circuit: what it became.
        samples: real inputs by name, batch first.
        name: which set it is.

    Samples outside the input's range are counted as refused, and not compared.
    """
    import onnxruntime

    (port,), (output,) = circuit.inputs, circuit.outputs
    inside = _inside(port, samples[port.name])
    record: dict[str, object] = {"set": name, "samples": int(inside.sum()), "refused": int((~inside).sum())}
    if not inside.any():
        return record
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (fed,) = [value.name for value in session.get_inputs()]
    score = Score(False, False)
    for chunk, found in _answers(circuit, samples[port.name][inside]):
        wanted = np.asarray(session.run(None, {fed: chunk.astype(np.float32)})[0])
        score.add(wanted, found.astype(np.float64).reshape(wanted.shape))
    return record | {"outputs": {output.name: score.report()}}


def measure_accuracy(circuit: Circuit, samples: Mapping[str, Array], labels: Array) -> dict[str, int]:
    """How many samples a circuit of one input and one output puts into the right class: ``correct`` of ``labelled``.

    Args:
        circuit: with scores per class as output, or with the class itself.
        samples: real inputs by name, batch first; those outside the input's range are left out.
        labels: int [batch].

    Raises:
        MalformedError: ``input.shape``: not one integer for each sample.
    """
    (port,), _ = circuit.inputs, circuit.outputs
    array = samples[port.name]
    if labels.shape != (len(array),) or not np.issubdtype(labels.dtype, np.integer):
        raise MalformedError(
            "input.shape", f"labels are {labels.dtype} {labels.shape}; required integers ({len(array)},)"
        )
    inside = _inside(port, array)
    known, right, done = labels[inside], 0, 0
    for chunk, found in _answers(circuit, array[inside]):
        rows = found.reshape(len(chunk), -1)
        classes = rows.argmax(axis=1) if rows.shape[1] > 1 else rows[:, 0]
        right += int((classes == known[done : done + len(chunk)]).sum())
        done += len(chunk)
    return {"correct": right, "labelled": len(known)}


def _inside(port: Port, array: Array) -> Array:
    flat = array.reshape(len(array), -1).astype(np.float64)
    fits = (flat >= port.real_lo) & (flat <= port.real_hi)
    return np.asarray(fits.all(axis=1))


def _answers(circuit: Circuit, array: Array) -> Iterator[tuple[Array, Array]]:
    """Chunks of the input, and the output's real values for each."""
    (port,), (output,) = circuit.inputs, circuit.outputs
    run = Execution(circuit)
    for begin in range(0, len(array), CHUNK):
        chunk = array[begin : begin + CHUNK].astype(port.dtype)
        integers = run.outputs(encode_inputs(circuit, {port.name: chunk}))
        yield chunk, decode_outputs(circuit, integers)[output.name]
