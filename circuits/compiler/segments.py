# SPDX-License-Identifier: AGPL-3.0-or-later
"""An ONNX graph as affine maps with squares between them.

The graph is cut wherever a single tensor carries all that comes after. What lies between two cuts is taken for what it
computes, found by evaluating it in ONNX's own reference implementation and checked on random inputs:

- linear operators: one affine map A x + c, from zero and the unit vectors;
- anything with a product of tensors or a power: a quadratic of each value, v = a u^2 + b u + k with a, b and k of its
  own for each value, from u = 0, 1 and -1. It becomes a bare square, and the maps around it take the rest::

      a u^2 + b u + k = a (u + b / 2a)^2 + (k - b^2 / 4a)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from circuits.errors import CircuitError, UnsupportedError

LINEAR = frozenset(
    {
        "Add", "AveragePool", "BatchNormalization", "Constant", "Conv", "Flatten", "Gemm", "GlobalAveragePool",
        "Identity", "MatMul", "Mul", "Reshape", "Sub", "Transpose", "Div", "ReduceMean", "ReduceSum", "Squeeze",
        "Unsqueeze",
    }
)  # fmt: skip
"""Operators that may stand in a linear run; that it is linear is then checked."""
PRODUCTS = frozenset({"Mul", "Pow"})
MAX_ELEMENTS = 4096
CODE = "compile.polynomial.unsupported"
_LEAST_CURVATURE = 1e-6
"""Of a quadratic's a, beside the largest of its coefficients: below it a square says nothing of the value."""

Floats = npt.NDArray[np.float64]


class BatchNormalization(OpRun):  # type: ignore[misc, unused-ignore]
    """With the stored mean and variance. (For opset 9 to 13 the reference implementation takes those of the batch.)"""

    def _run(
        self, x: Any, scale: Any, bias: Any, mean: Any, var: Any, epsilon: float | None = None, **attributes: Any
    ) -> tuple[Any]:
        if attributes.get("training_mode"):
            raise UnsupportedError(CODE, "a BatchNormalization in training mode")
        each = (-1,) + (1,) * (x.ndim - 2)
        factor = scale / np.sqrt(var + np.float32(1e-5 if epsilon is None else epsilon))
        return (((x - mean.reshape(each)) * factor.reshape(each) + bias.reshape(each)).astype(x.dtype),)


@dataclass(frozen=True)
class Affine:
    """What it gives has name `name`; matrix [inputs, outputs], offset [outputs]."""

    name: str
    matrix: Floats
    offset: Floats

    def after(self, slope: Floats, lift: Floats) -> Affine:
        """The map of x that this one gives for slope * x + lift."""
        return Affine(self.name, slope[:, None] * self.matrix, self.offset + lift @ self.matrix)


class Segments:
    """A network of one input and one output, cut.

    Raises:
        UnsupportedError: ``compile.polynomial.unsupported``.
    """

    def __init__(self, proto: onnx.ModelProto) -> None:
        self._proto, graph = proto, proto.graph
        self._constants = {tensor.name for tensor in graph.initializer}
        inputs = [value for value in graph.input if value.name not in self._constants]
        if len(inputs) != 1 or len(graph.output) != 1:
            raise UnsupportedError(CODE, f"{len(inputs)} inputs, {len(graph.output)} outputs; required one of each")
        self.input, self.output = inputs[0].name, graph.output[0].name
        self.shape = tuple(d.dim_value for d in inputs[0].type.tensor_type.shape.dim[1:])
        if not self.shape or min(self.shape) < 1 or np.prod(self.shape) > MAX_ELEMENTS:
            raise UnsupportedError(CODE, f"an input of shape {self.shape}; required 1 to {MAX_ELEMENTS} elements")
        self._prelude: list[onnx.NodeProto] = []

    def layers(self) -> list[Affine]:
        """The affine maps, squares of single values between them."""
        found: list[Affine] = []
        begin, shape, run = self.input, self.shape, list[onnx.NodeProto]()
        size = int(np.prod(shape))
        slope, lift, here = np.ones(size), np.zeros(size), begin  # what a layer sees is slope * square + lift
        for nodes, end in self._cuts():
            if not any(self._curved(node) for node in nodes):
                run, here = [*run, *nodes], end
                continue
            reached, inner = self._affine(begin, shape, run, here)
            a, b, k = self._quadratic(here, inner, nodes, end)
            layer = reached.after(slope, lift)
            found.append(Affine(layer.name, layer.matrix, layer.offset + b / (2 * a)))
            slope, lift = a, k - b * b / (4 * a)
            begin, here, shape, run = end, end, inner, []
        last, _ = self._affine(begin, shape, run, self.output)
        return [*found, last.after(slope, lift)]

    def _cuts(self) -> list[tuple[list[onnx.NodeProto], str]]:
        """The nodes up to each tensor that alone carries what follows, and that tensor's name."""
        nodes = list[onnx.NodeProto]()
        for node in self._proto.graph.node:
            if node.op_type not in LINEAR | PRODUCTS:
                raise UnsupportedError(CODE, f"{node.op_type}: only linear operators and squares run on ciphertexts")
            if all(name in self._constants for name in node.input if name):
                self._prelude.append(node)
                self._constants.update(node.output)
            else:
                nodes.append(node)
        last = {name: index for index, node in enumerate(nodes) for name in node.input}
        last[self.output] = len(nodes)
        found: list[tuple[list[onnx.NodeProto], str]] = []
        run, live, here = list[onnx.NodeProto](), {self.input}, self.input
        for index, node in enumerate(nodes):
            run.append(node)
            live = {name for name in (*live, *node.output) if last.get(name, -1) > index}
            if len(live) == 1 and live != {here}:
                (here,) = live
                found.append((run, here))
                run = []
        if here != self.output:
            raise UnsupportedError(CODE, f"{self.output!r} does not depend on {self.input!r} alone")
        return found

    def _curved(self, node: onnx.NodeProto) -> bool:
        varying = [name for name in node.input if name and name not in self._constants]
        return node.op_type == "Pow" or (node.op_type == "Mul" and len(varying) > 1)

    def _values(
        self, begin: str, shape: tuple[int, ...], run: list[onnx.NodeProto], end: str, rows: Floats
    ) -> npt.NDArray[np.float64]:
        """What the nodes give for rows [rows, elements of `shape`]: [rows, ...]."""
        kind = onnx.TensorProto.FLOAT
        graph = helper.make_graph(
            [*self._prelude, *run],
            "run",
            [helper.make_tensor_value_info(begin, kind, ["N", *shape])],
            [helper.make_tensor_value_info(end, kind, None)],
            self._proto.graph.initializer,
        )
        part = helper.make_model(graph, opset_imports=self._proto.opset_import, ir_version=self._proto.ir_version)
        try:
            evaluator: Any = ReferenceEvaluator(part, new_ops=[BatchNormalization])
            (result,) = evaluator.run(None, {begin: rows.reshape(-1, *shape).astype(np.float32)})
            found = np.asarray(result, np.float64)
        except CircuitError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever an operator's reference implementation raises
            said = f"the operators from {begin!r} to {end!r} cannot be evaluated ({type(error).__name__})"
            raise UnsupportedError(CODE, said) from None
        if found.ndim < 1 or len(found) != len(rows) or not 1 <= found[0].size <= MAX_ELEMENTS:
            raise UnsupportedError(
                CODE, f"a shape of {found.shape} at {end!r}; required the batch, and 1 to {MAX_ELEMENTS} elements"
            )
        return found

    def _affine(
        self, begin: str, shape: tuple[int, ...], run: list[onnx.NodeProto], end: str
    ) -> tuple[Affine, tuple[int, ...]]:
        """One map for a run of linear operators, and the shape of what it gives."""
        size = int(np.prod(shape))
        if not run:
            return Affine(begin, np.eye(size), np.zeros(size)), shape
        zero = self._values(begin, shape, run, end, np.zeros((1, size)))
        offset = zero.reshape(-1)
        matrix = self._values(begin, shape, run, end, np.eye(size)).reshape(size, -1) - offset
        probe = np.random.default_rng(0).uniform(-1, 1, (3, size))
        seen = self._values(begin, shape, run, end, probe).reshape(3, -1)
        if not np.allclose(seen, probe @ matrix + offset, rtol=1e-3, atol=1e-3 * (1 + np.abs(seen).max())):
            raise UnsupportedError(CODE, f"the operators up to {end!r} are not linear")
        return Affine(end, matrix, offset), zero.shape[1:]

    def _quadratic(
        self, begin: str, shape: tuple[int, ...], run: list[onnx.NodeProto], end: str
    ) -> tuple[Floats, Floats, Floats]:
        """a, b and k of v = a u^2 + b u + k, each [elements]."""
        size = int(np.prod(shape))
        probe = np.random.default_rng(0).uniform(-2, 2, (3, size))
        fixed = np.repeat([[0.0], [1.0], [-1.0]], size, axis=1)
        values = self._values(begin, shape, run, end, np.concatenate([fixed, probe]))
        said = f"the operators from {begin!r} to {end!r} are no quadratic of each value"
        if values.shape[1:] != shape:
            raise UnsupportedError(CODE, said)
        (k, plus, minus), seen = values.reshape(6, size)[:3], values.reshape(6, size)[3:]
        a, b = (plus + minus) / 2 - k, (plus - minus) / 2
        wanted = a * probe**2 + b * probe + k
        if not np.allclose(seen, wanted, rtol=1e-3, atol=1e-3 * (1e-3 + np.abs(seen).max())):
            raise UnsupportedError(CODE, said)
        if (np.abs(a) <= _LEAST_CURVATURE * max(np.abs(b).max(), np.abs(k).max(), 1.0)).any():
            raise UnsupportedError(CODE, f"{said}: the square's coefficient is zero for some")
        return a, b, k
