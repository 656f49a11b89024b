# SPDX-License-Identifier: AGPL-3.0-or-later
"""The ONNX project's own node tests: what is supported gives their expected outputs, the rest is refused by name."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from circuits import CircuitError, decode_outputs, encode_inputs, evaluate
from circuits.compiler import compile_model
from circuits.ops import OPERATORS

NAMES = sorted(name for domain, name in OPERATORS if domain == "")
DYNAMIC_FIRST_ONLY = {"Add", "Sub", "Mul", "MatMul", "Concat"}
"""Operators that also take a second computed operand; all others get their further inputs as constants."""

REFUSED = {
    "circuit.graph.shape",
    "compile.calibration.dtype",
    "compile.calibration.empty",
    "compile.calibration.shape",
    "compile.input.unused",
    "compile.onnx.input",
    "compile.onnx.malformed",
    "compile.operator.unsupported",
    "compile.output.constant",
    "compile.output.quantised",
    "compile.output.unknown",
}
LEAST_PASSED = {
    "Add": 1, "AveragePool": 10, "BatchNormalization": 2, "Clip": 4, "Concat": 2, "Conv": 4, "Flatten": 2,
    "Gemm": 6, "GlobalAveragePool": 2, "HardSigmoid": 3, "HardSwish": 1, "Identity": 1, "LeakyRelu": 3, "MatMul": 2,
    "MaxPool": 8, "Mul": 1, "Relu": 1, "Reshape": 1, "Sigmoid": 2, "Softmax": 3, "Sub": 1, "Tanh": 2,
    "Transpose": 2, "Unsqueeze": 3,
}  # fmt: skip
"""How many cases of an operator compile and agree; fewer would be a loss of support."""


@cache
def cases():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the case generators overflow on purpose
        from onnx.backend.test.case.node import collect_testcases

        collected = collect_testcases(None)
    found: dict[str, list[Any]] = {}
    for case in collected:
        graph = case.model.graph if case.model else onnx.GraphProto()
        if len(graph.node) == 1 and graph.node[0].op_type in NAMES and not graph.node[0].domain:
            found.setdefault(graph.node[0].op_type, []).append(case)
    return found


def with_constants(case):
    """The case's model with its further inputs as constants, its samples, and its expected first output."""
    made = onnx.ModelProto.FromString(case.model.SerializeToString())
    inputs, outputs = case.data_sets[0]
    names = [i.name for i in made.graph.input]
    keep = len(names) if made.graph.node[0].op_type in DYNAMIC_FIRST_ONLY else 1
    for name, value in list(zip(names, inputs, strict=False))[keep:]:
        tensor = value if isinstance(value, onnx.TensorProto) else numpy_helper.from_array(np.asarray(value))
        made.graph.initializer.add().CopyFrom(tensor)
        made.graph.initializer[-1].name = name
        made.graph.input.remove(next(i for i in made.graph.input if i.name == name))
    samples = {n: np.asarray(v) for n, v in list(zip(names, inputs, strict=False))[:keep]}
    return made.SerializeToString(), samples, made.graph.output[0].name, np.asarray(outputs[0])


def outcome(case):
    """None when the circuit agrees, the code when it is refused, a sentence when it is wrong."""
    data, samples, name, wanted = with_constants(case)
    try:
        circuit = compile_model(data, samples)
    except CircuitError as refusal:
        return refusal.code
    integers = evaluate(circuit, encode_inputs(circuit, samples))
    found = decode_outputs(circuit, {p.name: integers[p.tensor] for p in circuit.outputs})[name]
    scale = max(float(np.abs(wanted).max(initial=0.0)), 1e-6)
    error = float(np.abs(found - wanted).max(initial=0.0))
    return None if found.shape == wanted.shape and error <= 0.01 * scale else f"off by {error} of {scale}"


@pytest.mark.parametrize("op", NAMES)
def test_node_cases(op):
    outcomes = {case.name: outcome(case) for case in cases().get(op, [])}
    wrong = {name: what for name, what in outcomes.items() if what is not None and what not in REFUSED}
    assert not wrong
    assert sum(what is None for what in outcomes.values()) >= LEAST_PASSED.get(op, 0), outcomes
