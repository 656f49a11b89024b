# SPDX-License-Identifier: AGPL-3.0-or-later
"""Runs a circuit in onnxruntime, bit for bit equal to `circuits.evaluate`.

The emitted graph is exact in any order of summation, so no setting here can change a result; they are still
set to the deterministic choice, and the arithmetic that would not be exact (bfloat16 on some ARM cores) is
switched off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import onnxruntime

from circuits import Circuit
from circuits.circuit import IntArray
from circuits.emission import Emission, to_onnx
from circuits.signature import check_integers
from node.errors import OperationalError

Optimisation = Literal["disable", "basic", "extended", "all"]

_LEVELS = {
    "disable": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
}
_ERRORS_ONLY = 3


class Runtime:
    """A circuit loaded into onnxruntime on the CPU.

    `threads`: 0 lets onnxruntime use every core. `optimisation`: its graph optimisation level. Loading
    compiles the fast graph, or with `tracing` the one that exposes every tensor; the other one on first use.
    """

    def __init__(
        self, circuit: Circuit, *, threads: int = 0, optimisation: Optimisation = "all", tracing: bool = False
    ) -> None:
        if threads < 0 or optimisation not in get_args(Optimisation):
            raise OperationalError("node.runtime.option", f"threads {threads}, optimisation {optimisation!r} unknown")
        self._circuit = circuit
        self._threads = threads
        self._optimisation = optimisation
        self._loaded: dict[bool, tuple[Emission, Any]] = {}
        self._graph(expose_all=tracing)

    @property
    def circuit(self) -> Circuit:
        """What is loaded."""
        return self._circuit

    def run(self, inputs: Mapping[str, IntArray]) -> dict[str, IntArray]:
        """Integer inputs {port: int64 [batch, *shape]} -> integer outputs {port: int64 [batch, *shape]}.

        Raises circuits.MalformedError (input.*) for arrays that are no inputs of the circuit,
        OperationalError (node.runtime.failed, node.runtime.inexact) when onnxruntime fails or breaks the
        circuit's bounds.
        """
        ports = self._circuit.outputs
        arrays = self._execute(self._graph(expose_all=False), inputs, [port.tensor for port in ports])
        return {port.name: array for port, array in zip(ports, arrays, strict=True)}

    def trace(self, inputs: Mapping[str, IntArray]) -> list[IntArray]:
        """As `run`, but every tensor of the circuit, by tensor index: equal to `circuits.evaluate`."""
        return self._execute(self._graph(expose_all=True), inputs, range(len(self._circuit.tensors)))

    def _graph(self, *, expose_all: bool) -> tuple[Emission, Any]:
        if expose_all not in self._loaded:
            self._loaded[expose_all] = self._load(expose_all=expose_all)
        return self._loaded[expose_all]

    def _load(self, *, expose_all: bool) -> tuple[Emission, Any]:
        emission = to_onnx(self._circuit, expose_all=expose_all)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = _LEVELS[self._optimisation]
        options.use_deterministic_compute = True
        options.log_severity_level = _ERRORS_ONLY
        options.add_session_config_entry("session.set_denormal_as_zero", "0")
        options.add_session_config_entry("mlas.enable_gemm_fastmath_arm64_bfloat16", "0")
        try:
            session = onnxruntime.InferenceSession(emission.model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's exceptions share no other base
            raise OperationalError(
                "node.runtime.load-failed", f"onnxruntime refuses the circuit: {_line(error)}"
            ) from error
        return emission, session

    def _execute(
        self, loaded: tuple[Emission, Any], inputs: Mapping[str, IntArray], indices: Sequence[int]
    ) -> list[IntArray]:
        check_integers(self._circuit, inputs)
        emission, session = loaded
        known: dict[str, npt.NDArray[np.floating]] = {}
        for port, (name, wide) in zip(self._circuit.inputs, emission.inputs, strict=True):
            known[name] = inputs[port.name].astype(np.float64 if wide else np.float32)
        try:
            results = session.run(list(emission.outputs), known)
        except Exception as error:  # onnxruntime's exceptions share no other base
            raise OperationalError("node.runtime.failed", f"onnxruntime failed: {_line(error)}") from error
        known.update(zip(emission.outputs, results, strict=True))
        arrays = []
        for index in indices:
            recovery, tensor = emission.recoveries[index], self._circuit.tensors[index]
            array = recovery.integers(known[recovery.value])
            if int(array.min()) < tensor.lo or int(array.max()) > tensor.hi:
                raise OperationalError(
                    "node.runtime.inexact",
                    f"tensor {tensor.name!r} left its bounds [{tensor.lo}, {tensor.hi}]",
                    remedy="this machine's onnxruntime does not compute exactly; do not use it for answers",
                )
            arrays.append(array)
        return arrays


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
