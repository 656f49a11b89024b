# SPDX-License-Identifier: AGPL-3.0-or-later
"""Gemm: alpha * A @ B + beta * C with constant B. In integers: one dense gate (alpha folded), one requant."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from circuits.errors import MalformedError
from circuits.ops.batch import Dims
from circuits.ops.forms import Dense, Form, Linear, Scaled
from circuits.ops.operator import Call, Operator


class Gemm(Operator):
    """alpha * A @ B + beta * C"""

    name = "Gemm"
    attributes = frozenset({"alpha", "beta", "transA", "transB", "broadcast"})

    def shapes(self, call: Call) -> tuple[Dims, ...]:
        return (product_shape(call, 1, bool(call.attribute("transB", 0))),)

    def form(self, call: Call) -> Form:
        weight = call.reals(1)
        if call.attribute("transB", 0):
            weight = weight.T
        term = Dense(call.name(0), weight * float(call.attribute("alpha", 1.0)))
        if not call.has(2):
            return Linear((term,))
        beta = float(call.attribute("beta", 1.0))
        if call.is_constant(2):
            return Linear((term,), addend(call, 2) * beta)
        return Linear((term, Scaled(call.name(2), np.array(beta))))


def product_shape(call: Call, weight: int, transposed: bool) -> Dims:
    """Shape of a rank-2 dynamic input 0 times a constant matrix."""
    if call.attribute("transA", 0):
        raise call.refuse("transA moves the batch axis")
    if weight not in range(len(call.node.inputs)) or not call.is_constant(weight) or call.is_constant(0):
        raise call.refuse(
            "both matrices are computed from the input, or the left one is constant",
            "Use MatMul for a product of two computed tensors.",
        )
    left, right = call.dims(0), call.dims(weight)
    if transposed:
        right = right[::-1]
    if len(left) != 2 or len(right) != 2 or left[1] != right[0]:
        raise MalformedError("compile.onnx.malformed", f"{call.where}: {left} @ {right} is not a matrix product")
    return (left[0], right[1])


def addend(call: Call, index: int) -> npt.NDArray[np.float64]:
    """A constant addend to a [batch, N] result, as [N] or a number."""
    value = call.reals(index)
    if value.ndim == 2 and value.shape[0] == 1:
        value = value[0]
    if value.ndim > 1:
        raise call.refuse(f"constant {call.name(index)!r} of shape {list(value.shape)} differs between samples")
    return value
