# SPDX-License-Identifier: AGPL-3.0-or-later
"""Writes ONNX nodes and initialisers. The only module of the emission that imports onnx."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from circuits.circuit import Shape
from circuits.emission.value import Value
from circuits.errors import UnsupportedError

OPSET = 18
IR_VERSION = 9
MAX_MODEL = (1 << 31) - 1
"""Bytes of a protobuf message."""

BATCH = "batch"


class Writer:
    """A growing ONNX graph with generated names. Equal constants are stored once."""

    INT32 = int(TensorProto.INT32)
    INT64 = int(TensorProto.INT64)

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []
        self._constants: dict[tuple[str, Shape, bytes], str] = {}
        self._shared: dict[tuple[str, tuple[str, ...]], str] = {}
        self._inputs: list[onnx.ValueInfoProto] = []

    def input(self, shape: Shape, wide: bool) -> str:
        """Declare a graph input [batch, *shape] of float32 or float64."""
        name = f"x{len(self._inputs)}"
        self._inputs.append(_info(name, shape, wide))
        return name

    def node(self, op: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Append a node with one output; return the output's name."""
        name = f"v{len(self._nodes)}"
        self._nodes.append(helper.make_node(op, list(inputs), [name], name=f"n{len(self._nodes)}", **attributes))
        return name

    def shared(self, op: str, inputs: Sequence[str]) -> str:
        """As `node`, but the same operation on the same values is written once."""
        key = (op, tuple(inputs))
        if key not in self._shared:
            self._shared[key] = self.node(op, inputs)
        return self._shared[key]

    def cast(self, name: str, wide: bool) -> str:
        """A cast to float64 or float32, written once."""
        key = ("Cast", (name, str(wide)))
        if key not in self._shared:
            self._shared[key] = self.node("Cast", [name], to=int(TensorProto.DOUBLE if wide else TensorProto.FLOAT))
        return self._shared[key]

    def clip(self, name: str, low: float | None, high: float | None, wide: bool) -> str:
        """A clip; None is no limit."""
        limits = ["" if v is None else self.number(np.float64(v), wide) for v in (low, high)]
        return self.node("Clip", [name, *limits] if limits[1] else [name, limits[0]])

    def pad(self, value: Value, pads: Sequence[int], fill: int) -> str:
        """A border of integers `fill` around the per-sample axes (begins, then ends).

        All axes are listed: with an `axes` input onnxruntime no longer folds zero borders into a MaxPool,
        where they would never win; with all of them, its transpose optimiser still permutes the pads
        correctly.
        """
        half = len(pads) // 2
        axes = self.constant(np.arange(1 + half, dtype=np.int64))
        border = self.number(np.ldexp(float(fill), -value.exponent[0]), value.wide)
        widths = self.constant(np.array([0, *pads[:half], 0, *pads[half:]], dtype=np.int64))
        return self.node("Pad", [value.name, widths, border, axes], mode="constant")

    def number(self, array: npt.ArrayLike, wide: bool) -> str:
        """A floating constant, float64 or float32; the caller knows that it is exact."""
        return self.constant(np.asarray(array, dtype=np.float64 if wide else np.float32))

    def constant(self, array: npt.NDArray[np.generic] | np.generic) -> str:
        """An initialiser; return its name."""
        data = np.ascontiguousarray(array).reshape(np.shape(array))
        key = (data.dtype.str, data.shape, data.tobytes())
        if key not in self._constants:
            name = f"c{len(self._constants)}"
            self._constants[key] = name
            self._initializers.append(numpy_helper.from_array(data, name))
        return self._constants[key]

    def model(self, outputs: Sequence[tuple[str, Shape, bool]]) -> bytes:
        """The serialised model with these outputs (name, per-sample shape, float64?)."""
        graph = helper.make_graph(
            self._nodes,
            "circuit",
            self._inputs,
            [_info(*output) for output in outputs],
            self._initializers,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        model.producer_name = "affidavit"
        if model.ByteSize() > MAX_MODEL:
            raise UnsupportedError(
                "circuit.emission.too-large",
                f"the ONNX model would take {model.ByteSize()} bytes; required at most {MAX_MODEL}",
            )
        return bytes(model.SerializeToString(deterministic=True))


def _info(name: str, shape: Shape, wide: bool) -> onnx.ValueInfoProto:
    kind = TensorProto.DOUBLE if wide else TensorProto.FLOAT
    return helper.make_tensor_value_info(name, kind, [BATCH, *shape])
