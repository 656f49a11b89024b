# SPDX-License-Identifier: AGPL-3.0-or-later
"""ONNX bytes -> Model. Strict: what the ONNX checker refuses, or what this compiler cannot mean, stops here.

Source: onnx.proto3 and IR.md of the ONNX specification.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from circuits.compiler.model import Model, ModelInput
from circuits.errors import MalformedError, UnsupportedError
from circuits.ops import Node
from circuits.ops.operator import MICROSOFT, Array

MAX_MODEL = 1 << 30
"""Bytes of a model file."""
MAX_NODES = 1 << 16
MIN_OPSET = 7
INPUT_TYPES = ("float32", "uint8", "int8", "int64")
_EXTERNAL = "Save the model with its weights inside (onnx.save with save_as_external_data=False)."


def import_model(data: bytes) -> Model:
    """Parse and check an ONNX file.

    Raises MalformedError (compile.onnx.malformed, compile.onnx.too-large) and UnsupportedError
    (compile.onnx.opset, compile.onnx.external-data, compile.onnx.input, compile.onnx.construct).
    """
    if len(data) > MAX_MODEL:
        raise MalformedError("compile.onnx.too-large", f"{len(data)} bytes, at most {MAX_MODEL} are read")
    proto = _parse(data)
    opsets = _opsets(proto)
    graph = proto.graph
    if len(graph.node) > MAX_NODES:
        raise MalformedError("compile.onnx.too-large", f"{len(graph.node)} nodes, at most {MAX_NODES} are read")
    if proto.functions or graph.sparse_initializer:
        raise UnsupportedError(
            "compile.onnx.construct",
            "the model has local functions or sparse weights",
            "Inline functions (onnx.inliner) and store weights densely.",
        )
    constants = {tensor.name: _array(tensor) for tensor in graph.initializer}
    inputs = {i.name: _input(i) for i in graph.input if i.name not in constants}
    if not inputs or not graph.output:
        raise MalformedError(
            "compile.onnx.malformed", "the model has no inputs or no outputs", "Is this an ONNX model file?"
        )
    nodes = tuple(_node(n, k, opsets) for k, n in enumerate(graph.node))
    return Model(nodes, inputs, tuple(o.name for o in graph.output), constants, data)


def _parse(data: bytes) -> onnx.ModelProto:
    try:
        proto: onnx.ModelProto = onnx.load_model_from_string(data)
        for tensor in _tensors(proto):
            if tensor.data_location == onnx.TensorProto.EXTERNAL:
                raise UnsupportedError(
                    "compile.onnx.external-data", f"tensor {tensor.name!r} lies in another file", _EXTERNAL
                )
        _known_operators(proto)  # first: the checker's word for an unknown one names neither node nor way out
        onnx.checker.check_model(proto)
    except UnsupportedError:
        raise
    except Exception as exc:  # protobuf and the checker raise types of their own
        reason = next((line for line in str(exc).splitlines() if line.strip()), type(exc).__name__)
        raise MalformedError(
            "compile.onnx.malformed",
            f"not a valid ONNX model: {reason[:300]}",
            "Check the file with onnx.checker, or export the model again.",
        ) from exc
    return proto


def _known_operators(proto: onnx.ModelProto) -> None:
    for number, node in enumerate(proto.graph.node):
        domain = "" if node.domain == "ai.onnx" else node.domain
        if domain == "" and not onnx.defs.has(node.op_type):
            raise UnsupportedError(
                "compile.operator.unsupported",
                f"{node.op_type} (node {node.name or number!r}): not an operator of ONNX",
                "Rewrite this part of the model with supported operators (docs/compiling.md lists them).",
            )


def _tensors(proto: onnx.ModelProto) -> list[onnx.TensorProto]:
    attributes = [a for n in proto.graph.node for a in n.attribute]
    return [*proto.graph.initializer, *(a.t for a in attributes if a.HasField("t"))]


def _opsets(proto: onnx.ModelProto) -> dict[str, int]:
    opsets = {("" if o.domain == "ai.onnx" else o.domain): o.version for o in proto.opset_import}
    newest = onnx.defs.onnx_opset_version()
    if not MIN_OPSET <= opsets.get("", 0) <= newest:
        raise UnsupportedError(
            "compile.onnx.opset",
            f"opset {opsets.get('', 0)}, {MIN_OPSET} to {newest} are read",
            "Convert the model with onnx.version_converter.",
        )
    return opsets


def _array(tensor: onnx.TensorProto) -> Array:
    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except (ValueError, TypeError, KeyError, OverflowError) as exc:
        raise MalformedError(
            "compile.onnx.malformed", f"tensor {tensor.name!r}: its data does not match its shape or type"
        ) from exc


def _input(value: onnx.ValueInfoProto) -> ModelInput:
    tensor = value.type.tensor_type
    name = onnx.TensorProto.DataType.Name(tensor.elem_type).lower()
    dtype = {"float": "float32", "double": "float64"}.get(name, name)
    if dtype not in INPUT_TYPES:
        raise UnsupportedError(
            "compile.onnx.input",
            f"input {value.name!r} has type {dtype}",
            f"Inputs of type {', '.join(INPUT_TYPES)} are supported.",
        )
    dims = tuple(d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in tensor.shape.dim)
    if not dims:
        raise UnsupportedError(
            "compile.onnx.input",
            f"input {value.name!r} is a single number or has no shape",
            "Axis 0 of every input must be the batch.",
        )
    return ModelInput(dtype, dims)


def _node(node: onnx.NodeProto, index: int, opsets: dict[str, int]) -> Node:
    domain = "" if node.domain == "ai.onnx" else node.domain
    name = node.name or f"#{index} -> {next(iter(node.output), '?')}"
    default = 1 if domain == MICROSOFT else 0
    attributes = {a.name: _attribute(a) for a in node.attribute}
    return Node(
        node.op_type,
        domain,
        name,
        tuple(node.input),
        tuple(node.output),
        attributes,
        opsets.get(domain, default),
    )


def _attribute(attribute: onnx.AttributeProto) -> Any:
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, onnx.TensorProto):
        return _array(value)
    if isinstance(value, int | float):
        return value
    return tuple(value) if attribute.type in (onnx.AttributeProto.INTS, onnx.AttributeProto.FLOATS) else None
