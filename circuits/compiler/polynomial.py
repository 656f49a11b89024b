# SPDX-License-Identifier: AGPL-3.0-or-later
"""A float ONNX network of linear operators and squares as a circuit without any requantisation.

What computes on ciphertexts can add and multiply, and cannot compare, clamp or shift. So nothing here is ever scaled
down: integers grow through the network, and the output's scale takes it all back::

    h_0 = round(x / s_0)      h_1 = W_1 h_0 + b_1      h_i = W_i h_(i-1)^2 + b_i      W_i = round(A_i f_i)
    s_1 = s_0 / f_1           s_i = s_(i-1)^2 / f_i    real value = s_i h_i           b_i = round(c_i / s_i)

Each run of linear operators is taken for what it is, one affine map A x + c: it is found by evaluating the operators,
in ONNX's own reference implementation, on zero and on the unit vectors. A square is ``Mul`` of a tensor with itself, or
``Pow`` with exponent 2. Other quadratics are affine maps around a square: a x^2 + b x = a (x + b / 2a)^2 - b^2 / 4a.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from circuits.builder import CircuitBuilder
from circuits.circuit import Circuit
from circuits.errors import CircuitError, MalformedError, UnsupportedError
from circuits.limits import MAX_FILE

LINEAR = frozenset(
    {
        "Add", "AveragePool", "BatchNormalization", "Constant", "Conv", "Flatten", "Gemm", "GlobalAveragePool",
        "Identity", "MatMul", "Mul", "Reshape", "Sub", "Transpose", "Div", "ReduceMean", "ReduceSum", "Squeeze",
        "Unsqueeze",
    }
)  # fmt: skip
"""Operators that may stand in a linear run; that it is linear is then checked."""

MAX_ELEMENTS = 4096
LEAST_BITS = 3
_CODE = "compile.polynomial.unsupported"

Floats = npt.NDArray[np.float64]


def compile_polynomial(
    model: bytes,
    *,
    input_range: tuple[float, float],
    activation_bits: int = 4,
    weight_bits: int = 7,
) -> Circuit:
    """Compile a network whose only non-linear operation is the square.

    Args:
        model: ONNX, one float input with a batch axis, one output.
        input_range: of the real input.
        activation_bits: of the input's integers.
        weight_bits: of every layer's; fewer where the integers would grow beyond the circuit's bounds.

    Raises:
        MalformedError: ``compile.polynomial.malformed``: not an ONNX network, or a range that is none.
        UnsupportedError: ``compile.polynomial.unsupported``: another operator, a product of two different tensors, a
            value that skips a square, several inputs or outputs; integers beyond 2^53 even with 3 bits.
    """
    low, high = input_range
    if not np.isfinite([low, high]).all() or not low < high or not 2 <= activation_bits <= 12:
        raise MalformedError("compile.polynomial.malformed", f"input range {low} to {high}, {activation_bits} bits")
    if len(model) > MAX_FILE:
        raise MalformedError("compile.polynomial.malformed", f"a model of {len(model)} bytes; at most {MAX_FILE}")
    try:
        proto = onnx.load_from_string(model)
        onnx.checker.check_model(proto, full_check=True)
    except Exception as error:  # noqa: BLE001 - protobuf and onnx raise what they like
        raise MalformedError("compile.polynomial.malformed", f"not an ONNX network ({str(error)[:80]})") from None
    network = _Network(proto)
    layers = network.layers()
    refusal: CircuitError | None = None
    for bits in range(weight_bits, LEAST_BITS - 1, -1):
        try:
            return _build(network, layers, model, (low, high), activation_bits, bits)
        except CircuitError as error:
            refusal = error
    raise UnsupportedError(_CODE, f"the integers grow beyond the circuit's bounds ({refusal})")


class _Network:
    """A graph cut at its squares."""

    def __init__(self, proto: onnx.ModelProto) -> None:
        self.proto, graph = proto, proto.graph
        constants = {tensor.name for tensor in graph.initializer}
        inputs = [value for value in graph.input if value.name not in constants]
        if len(inputs) != 1 or len(graph.output) != 1:
            raise UnsupportedError(_CODE, f"{len(inputs)} inputs, {len(graph.output)} outputs; required one of each")
        (self.input,), (self.output,) = inputs, graph.output
        self.shape = tuple(d.dim_value for d in self.input.type.tensor_type.shape.dim[1:])
        if not self.shape or min(self.shape) < 1 or np.prod(self.shape) > MAX_ELEMENTS:
            raise UnsupportedError(_CODE, f"an input of shape {self.shape}; required 1 to {MAX_ELEMENTS} elements")
        self.values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}

    def _is_square(self, node: onnx.NodeProto) -> bool:
        if node.op_type == "Pow":
            exponent = self.values.get(node.input[1])
            return exponent is not None and exponent.size == 1 and float(exponent.reshape(-1)[0]) == 2.0
        return node.op_type == "Mul" and node.input[0] == node.input[1]

    def layers(self) -> list[tuple[str, Floats, Floats]]:
        """Name, matrix [inputs, outputs] and offset [outputs] of each affine map, squares between them."""
        found: list[tuple[str, Floats, Floats]] = []
        begin, shape, run = self.input.name, self.shape, list[onnx.NodeProto]()
        for node in self.proto.graph.node:
            if self._is_square(node):
                found.append(self._affine(begin, shape, run, node.input[0]))
                begin, shape, run = node.output[0], self._out, []
            elif node.op_type not in LINEAR:
                raise UnsupportedError(_CODE, f"{node.op_type}: only linear operators and squares run on ciphertexts")
            else:
                run.append(node)
        found.append(self._affine(begin, shape, run, self.output.name))
        return found

    def _affine(
        self, begin: str, shape: tuple[int, ...], run: list[onnx.NodeProto], end: str
    ) -> tuple[str, Floats, Floats]:
        from onnx.reference import ReferenceEvaluator

        size = int(np.prod(shape))
        if not run:
            self._out = shape
            return begin, np.eye(size), np.zeros(size)
        kind = onnx.TensorProto.FLOAT
        graph = helper.make_graph(
            run,
            "run",
            [helper.make_tensor_value_info(begin, kind, ["N", *shape])],
            [helper.make_tensor_value_info(end, kind, None)],
            self.proto.graph.initializer,
        )
        part = helper.make_model(graph, opset_imports=self.proto.opset_import, ir_version=self.proto.ir_version)
        try:
            evaluator: Any = ReferenceEvaluator(part)

            def value(rows: Floats) -> Floats:
                (result,) = evaluator.run(None, {begin: rows.reshape(-1, *shape).astype(np.float32)})
                return np.asarray(result, np.float64)

            zero = value(np.zeros((1, size)))
            self._out = zero.shape[1:]
            offset = zero.reshape(-1)
            if not 1 <= offset.size <= MAX_ELEMENTS:
                raise UnsupportedError(_CODE, f"{offset.size} values behind {end!r}; required 1 to {MAX_ELEMENTS}")
            matrix = value(np.eye(size)).reshape(size, -1) - offset
            probe = np.random.default_rng(0).uniform(-1, 1, (3, size))
            seen = value(probe).reshape(3, -1)
        except CircuitError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever an operator's reference implementation raises
            said = f"the operators up to {end!r} are no map of one tensor ({type(error).__name__})"
            raise UnsupportedError(_CODE, said) from None
        if not np.allclose(seen, probe @ matrix + offset, rtol=1e-3, atol=1e-3 * (1 + np.abs(seen).max())):
            raise UnsupportedError(_CODE, f"the operators up to {end!r} are not linear")
        return end, matrix, offset


def _build(
    network: _Network,
    layers: list[tuple[str, Floats, Floats]],
    model: bytes,
    real: tuple[float, float],
    activation_bits: int,
    weight_bits: int,
) -> Circuit:
    most, largest = max(abs(real[0]), abs(real[1])), (1 << activation_bits) - 1
    scale = most / largest
    bounds = [int(np.floor(value / scale + 0.5)) for value in real]
    source = {"sha256": hashlib.sha256(model).hexdigest(), "compiler": "polynomial@v1"}
    builder = CircuitBuilder(source=source)
    tensor = builder.input(
        network.input.name, network.shape, *bounds, dtype="float32", scale=scale, real_lo=real[0], real_hi=real[1]
    )
    size = int(np.prod(network.shape))
    if len(network.shape) > 1:
        tensor = builder.gate("reshape", "flat", [tensor], shape=[size])
    for index, (name, matrix, offset) in enumerate(layers):
        if index:
            tensor, scale = builder.gate("mul", f"square.{index}", [tensor, tensor]), scale * scale
        factor = ((1 << (weight_bits - 1)) - 1) / max(float(np.abs(matrix).max()), 1e-30)
        scale /= factor
        weights = builder.constant(f"w.{index}", np.rint(matrix * factor).astype(np.int64))
        shift = np.rint(offset / scale)
        if np.abs(shift).max() >= 2.0**52:
            raise UnsupportedError(_CODE, f"an offset beyond the circuit's bounds in {name!r}")
        bias = builder.constant(f"b.{index}", shift.astype(np.int64))
        tensor = builder.gate("dense", f"{name}.{index}", [tensor], [weights, bias])
    builder.output(network.output.name, tensor, dtype="float32", scale=float(scale))
    return builder.build()
