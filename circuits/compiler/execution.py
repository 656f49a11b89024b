# SPDX-License-Identifier: AGPL-3.0-or-later
"""The emitted circuit in onnxruntime, for measuring; the node has its own, fuller runtime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime as ort

from circuits import Circuit
from circuits.circuit import IntArray
from circuits.emission import to_onnx
from circuits.errors import OperationalError


class Execution:
    """Runs a circuit; `expose_all` makes every tensor readable."""

    def __init__(self, circuit: Circuit, *, expose_all: bool = False) -> None:
        self.circuit, self.emission = circuit, to_onnx(circuit, expose_all=expose_all)
        options = ort.SessionOptions()
        options.log_severity_level = 3
        try:
            self.session: Any = ort.InferenceSession(self.emission.model, options, ["CPUExecutionProvider"])
        except Exception as exc:
            raise OperationalError("compile.exactness", f"onnxruntime does not load the circuit: {exc}"[:300]) from exc

    def tensors(self, inputs: Mapping[str, IntArray], indices: list[int]) -> list[IntArray]:
        """Integers of the tensors at `indices`."""
        given = {
            name: inputs[port.name].astype(np.float64 if wide else np.float32)
            for port, (name, wide) in zip(self.circuit.inputs, self.emission.inputs, strict=True)
        }
        results = self.session.run(list(self.emission.outputs), given)
        known = {**given, **dict(zip(self.emission.outputs, results, strict=True))}
        recoveries = [self.emission.recoveries[i] for i in indices]
        return [r.integers(known[r.value]) for r in recoveries]

    def outputs(self, inputs: Mapping[str, IntArray]) -> dict[str, IntArray]:
        """Integers of the outputs, by port."""
        ports = self.circuit.outputs
        arrays = self.tensors(inputs, [p.tensor for p in ports])
        return {p.name: a for p, a in zip(ports, arrays, strict=True)}
