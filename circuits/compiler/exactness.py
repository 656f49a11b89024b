# SPDX-License-Identifier: AGPL-3.0-or-later
"""The last check before a circuit is handed out: onnxruntime and the reference interpreter agree on every tensor."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from circuits import Circuit, encode_inputs, evaluate
from circuits.compiler.execution import Execution
from circuits.errors import OperationalError
from circuits.ops.operator import Array

SAMPLES = 2


def check_exactness(circuit: Circuit, samples: Mapping[str, Array]) -> int:
    """Compare all tensors on a few samples; returns how many. Raises OperationalError (compile.exactness)."""
    ports = {p.name: p for p in circuit.inputs}
    few = {
        name: np.clip(value[:SAMPLES], ports[name].real_lo, ports[name].real_hi).astype(value.dtype)
        for name, value in samples.items()
    }
    inputs = encode_inputs(circuit, few)
    wanted = evaluate(circuit, inputs)
    traced = Execution(circuit, expose_all=True).tensors(inputs, list(range(len(circuit.tensors))))
    for tensor, a, b in zip(circuit.tensors, wanted, traced, strict=True):
        _same(tensor.name, a, b)
    fused = Execution(circuit).outputs(inputs)
    for port in circuit.outputs:
        _same(port.name, wanted[port.tensor], fused[port.name])
    return len(next(iter(few.values())))


def _same(name: str, wanted: Array, found: Array) -> None:
    different = int(np.count_nonzero(wanted != found))
    if different:
        raise OperationalError(
            "compile.exactness",
            f"tensor {name!r}: onnxruntime differs from the reference in {different} of {wanted.size} elements",
            "This machine's onnxruntime does not compute exactly; do not use it. Report the model.",
        )
