# SPDX-License-Identifier: AGPL-3.0-or-later
"""Base class of the operators that only rearrange: in integers, a reshape or transpose gate; exact and free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from circuits.ops.batch import BATCH, show
from circuits.ops.forms import Form, Layout, Shape
from circuits.ops.operator import Array, Call, Operator


class Reshaping(Operator):
    """Same elements, same order, another shape; subclasses give `shapes`."""

    def form(self, call: Call) -> Form:
        (dims,) = self.shapes(call)
        if not dims or dims[0] != BATCH:
            raise call.refuse(f"gives shape {show(dims)}: the batch must stay axis 0")
        return Layout("reshape", (call.name(0),), {"shape": cast(Shape, dims[1:])})

    def fold(self, call: Call, values: Sequence[Array]) -> tuple[Array, ...] | None:
        (dims,) = self.shapes(call)
        return (np.reshape(values[0], cast(Shape, dims)),)


def axes_of(call: Call, rank: int) -> tuple[int, ...] | None:
    """Axes from the attribute (before opset 13) or the constant input 1, made non-negative; None when absent."""
    if call.has(1):
        axes = tuple(int(a) for a in call.constant(1).reshape(-1).tolist())
    elif "axes" in call.node.attributes:
        axes = call.integers("axes", ())
    else:
        return None
    if any(not -rank <= a < rank for a in axes) or len({a % rank for a in axes}) != len(axes):
        raise call.refuse(f"axes {axes} of a tensor of rank {rank}")
    return tuple(a % rank for a in axes)
