# SPDX-License-Identifier: AGPL-3.0-or-later
"""A float ONNX network of linear operators and squares as a circuit without any requantisation.

What computes on ciphertexts can add and multiply, and cannot compare, clamp or shift. So nothing here is ever scaled
down: integers grow through the network, and the output's scale takes it all back::

    h_0 = round(x / s_0)      h_1 = W_1 h_0 + b_1      h_i = W_i h_(i-1)^2 + b_i      W_i = round(A_i f_i)
    s_1 = s_0 / f_1           s_i = s_(i-1)^2 / f_i    real value = s_i h_i           b_i = round(c_i / s_i)

Each run of linear operators is one affine map A x + c, each quadratic of single values a bare square between two of
them: circuits/compiler/segments.py finds both.
"""

from __future__ import annotations

import hashlib

import numpy as np
import onnx

from circuits.builder import CircuitBuilder
from circuits.circuit import Circuit
from circuits.compiler.segments import CODE, Affine, Segments
from circuits.errors import CircuitError, MalformedError, UnsupportedError
from circuits.limits import MAX_FILE

LEAST_BITS, MOST_BITS = 3, 24
"""Of weights."""


def compile_polynomial(
    model: bytes,
    *,
    input_range: tuple[float, float],
    activation_bits: int = 4,
    weight_bits: int = 7,
) -> Circuit:
    """Compile a network whose only non-linear operations are quadratics of single values.

    Args:
        model: ONNX, one float input with a batch axis, one output.
        input_range: of the real input.
        activation_bits: of the input's integers.
        weight_bits: of every layer's; fewer where the integers would grow beyond the circuit's bounds.

    Raises:
        MalformedError: ``compile.polynomial.malformed``: not an ONNX network, or a range or bits that are none.
        UnsupportedError: ``compile.polynomial.unsupported``: another operator, a product that is no quadratic of each
            value, a value that skips a square, several inputs or outputs; integers beyond 2^53 even with 3 bits.
    """
    low, high = input_range
    if not np.isfinite([low, high]).all() or not low < high:
        raise MalformedError("compile.polynomial.malformed", f"input range {low} to {high}")
    if not 2 <= activation_bits <= 12 or not LEAST_BITS <= weight_bits <= MOST_BITS:
        raise MalformedError(
            "compile.polynomial.malformed",
            f"{activation_bits} bits of activations, {weight_bits} of weights; required 2 to 12, and {LEAST_BITS} to "
            f"{MOST_BITS}",
        )
    if len(model) > MAX_FILE:
        raise MalformedError("compile.polynomial.malformed", f"a model of {len(model)} bytes; at most {MAX_FILE}")
    try:
        proto = onnx.load_from_string(model)
        onnx.checker.check_model(proto, full_check=True)
    except Exception as error:  # noqa: BLE001 - protobuf and onnx raise what they like
        raise MalformedError("compile.polynomial.malformed", f"not an ONNX network ({str(error)[:80]})") from None
    network = Segments(proto)
    layers = network.layers()
    refusal: CircuitError | None = None
    for bits in range(weight_bits, LEAST_BITS - 1, -1):
        try:
            return _build(network, layers, model, (low, high), activation_bits, bits)
        except CircuitError as error:
            refusal = error
    raise UnsupportedError(CODE, f"the integers grow beyond the circuit's bounds ({refusal})")


def _build(
    network: Segments,
    layers: list[Affine],
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
        network.input, network.shape, *bounds, dtype="float32", scale=scale, real_lo=real[0], real_hi=real[1]
    )
    size = int(np.prod(network.shape))
    if len(network.shape) > 1:
        tensor = builder.gate("reshape", "flat", [tensor], shape=[size])
    for index, layer in enumerate(layers):
        if index:
            tensor, scale = builder.gate("mul", f"square.{index}", [tensor, tensor]), scale * scale
        factor = ((1 << (weight_bits - 1)) - 1) / max(float(np.abs(layer.matrix).max()), 1e-30)
        scale /= factor
        weights = builder.constant(f"w.{index}", np.rint(layer.matrix * factor).astype(np.int64))
        shift = np.rint(layer.offset / scale)
        if np.abs(shift).max() >= 2.0**52:
            raise UnsupportedError(CODE, f"an offset beyond the circuit's bounds in {layer.name!r}")
        bias = builder.constant(f"b.{index}", shift.astype(np.int64))
        tensor = builder.gate("dense", f"{layer.name}.{index}", [tensor], [weights, bias])
    builder.output(network.output, tensor, dtype="float32", scale=float(scale))
    return builder.build()
