# SPDX-License-Identifier: AGPL-3.0-or-later
"""MatMul: by a constant matrix (over the last axis), or of two computed tensors.

In integers: one dense gate and one requant; or an exact matmul gate and one shift, the grid of the result chosen so
that the ratio of scales is a power of two.
"""

from __future__ import annotations

from circuits.errors import MalformedError
from circuits.ops.batch import Dim, Dims
from circuits.ops.forms import Dense, Form, Linear, Product
from circuits.ops.operator import Array, Call, Operator


class MatMul(Operator):
    """a @ b"""

    name = "MatMul"

    def shapes(self, call: Call) -> tuple[Dims, ...]:
        if call.is_constant(0):
            raise call.refuse("the left operand is constant", "Transpose the product: (A @ x) = (x.T @ A.T).T.")
        left, right = call.dims(0), call.dims(1)
        call.sample(0)
        if call.is_constant(1):
            right = matrix(call, call.constant(1)).shape
            if len(left) < 2 or left[-1] != right[0]:
                raise MalformedError("compile.onnx.malformed", f"{call.where}: {left} @ {right} is not a product")
            return ((*left[:-1], right[1]),)
        return (_batched(call, left, right),)

    def form(self, call: Call) -> Form:
        if call.is_constant(1):
            return Linear((Dense(call.name(0), matrix(call, call.reals(1))),))
        return Product(call.name(0), call.name(1), matrix=True)


def matrix(call: Call, value: Array) -> Array:
    """A constant right operand as a matrix."""
    while value.ndim > 2 and value.shape[0] == 1:
        value = value[0]
    if value.ndim != 2:
        raise call.refuse(f"a constant operand of shape {list(value.shape)}", "It must be one matrix.")
    return value


def _batched(call: Call, left: Dims, right: Dims) -> Dims:
    call.sample(1)
    if len(left) != len(right) or len(left) < 3 or left[-1] != right[-2]:
        raise call.refuse(f"{left} @ {right}", "Both operands need the batch axis and two more of fitting sizes.")
    lead: list[Dim] = [left[0]]
    for a, b in zip(left[1:-2], right[1:-2], strict=True):
        if a != b and 1 not in (a, b):
            raise MalformedError("compile.onnx.malformed", f"{call.where}: {left} @ {right} do not broadcast")
        lead.append(b if a == 1 else a)
    return (*lead, left[-2], right[-1])
