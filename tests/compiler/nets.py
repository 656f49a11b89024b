# SPDX-License-Identifier: AGPL-3.0-or-later
"""Small ONNX models for the compiler's tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from circuits import Circuit

Nodes = Sequence[onnx.NodeProto]


def node(op: str, inputs: str, outputs: str, **attributes: Any) -> onnx.NodeProto:
    """`inputs` and `outputs` are names separated by spaces; `_` is an absent optional input."""
    names = ["" if i == "_" else i for i in inputs.split()]
    return helper.make_node(op, names, outputs.split(), name=f"{op}-to-{outputs.split(maxsplit=1)[0]}", **attributes)


def model(
    nodes: Nodes,
    inputs: Mapping[str, Sequence[Any]],
    outputs: Sequence[str],
    constants: Mapping[str, Any] | None = None,
    *,
    opset: int = 13,
    dtype: int = TensorProto.FLOAT,
    domains: Mapping[str, int] | None = None,
) -> bytes:
    """A serialised model. Shapes with the batch: `["n", 3, 8, 8]`."""
    graph = helper.make_graph(
        list(nodes),
        "net",
        [helper.make_tensor_value_info(n, dtype, s) for n, s in inputs.items()],
        [onnx.ValueInfoProto(name=n) for n in outputs],
        [numpy_helper.from_array(np.asarray(v), n) for n, v in (constants or {}).items()],
    )
    imports = [helper.make_opsetid("", opset)] + [helper.make_opsetid(d, v) for d, v in (domains or {}).items()]
    made = helper.make_model(graph, opset_imports=imports, ir_version=9)
    inferred = ort.InferenceSession(made.SerializeToString(), _quiet(), ["CPUExecutionProvider"])
    del made.graph.output[:]
    types = {"tensor(int64)": TensorProto.INT64, "tensor(float)": TensorProto.FLOAT}
    for value in inferred.get_outputs():
        made.graph.output.append(helper.make_tensor_value_info(value.name, types[value.type], value.shape))
    return bytes(made.SerializeToString())


def run(data: bytes, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The float model's outputs."""
    session = ort.InferenceSession(data, _quiet(), ["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(inputs)), strict=True))


def _quiet() -> Any:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    return options


def f32(values: Any) -> np.ndarray:
    """A float32 array."""
    return np.array(values, dtype=np.float32)


def i64(values: Any) -> np.ndarray:
    """An int64 array."""
    return np.array(values, dtype=np.int64)


def outputs_of(circuit: Circuit) -> dict[str, dict[str, Any]]:
    """The quality record per output."""
    record: Any = circuit.quality["outputs"]
    return dict(record)


def floats(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> np.ndarray:
    """Normal float32 numbers."""
    return (rng.standard_normal(shape) * scale).astype(np.float32)


def small_convnet(seed: int = 0) -> bytes:
    """Conv, Relu, MaxPool, Conv, Relu, Flatten, Gemm, Softmax on [n, 1, 12, 12]."""
    rng = np.random.default_rng(seed)
    return model(
        [
            node("Conv", "x w1 b1", "a", pads=[1, 1, 1, 1]),
            node("Relu", "a", "b"),
            node("MaxPool", "b", "c", kernel_shape=[2, 2], strides=[2, 2]),
            node("Conv", "c w2 b2", "d"),
            node("Relu", "d", "e"),
            node("Flatten", "e", "f"),
            node("Gemm", "f w3 b3", "logits", transB=1),
            node("Softmax", "logits", "p"),
        ],
        {"x": ["n", 1, 12, 12]},
        ["p"],
        {
            "w1": floats(rng, 4, 1, 3, 3, scale=0.5),
            "b1": floats(rng, 4, scale=0.1),
            "w2": floats(rng, 6, 4, 3, 3, scale=0.3),
            "b2": floats(rng, 6, scale=0.1),
            "w3": floats(rng, 5, 96, scale=0.2),
            "b3": floats(rng, 5, scale=0.1),
        },
    )
