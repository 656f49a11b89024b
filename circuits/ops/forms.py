# SPDX-License-Identifier: AGPL-3.0-or-later
"""The few forms into which every supported ONNX operator is rewritten.

A form states the *real-valued* meaning of one tensor, on per-sample shapes (the batch axis is implied and never
touched). Each form has one lowering to exact integer gates, in ``circuits/compiler/lowering``:

========  =====================================================  ==============================================
form      real meaning                                           gates
========  =====================================================  ==============================================
Linear    y = clamp(sum of terms + bias)                         conv / dense / reduce_sum, affine, requant
Table     y = f(x), f scalar                                     table
Product   y = clamp(a * b), or a @ b, two dynamic tensors        mul / matmul, affine, requant
Pool      y = maximum over a window                              max_pool
Layout    y = the same numbers in another order or shape         reshape, transpose, concat, pad
Softmax   y = exp(x) / sum exp(x) along one axis                 requant, softmax
ArgMax    y = index of the largest value along one axis          arg_max
========  =====================================================  ==============================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Reals: TypeAlias = npt.NDArray[np.float64]
Shape: TypeAlias = tuple[int, ...]
ScalarFunction: TypeAlias = Callable[[Decimal], Decimal]
Interval: TypeAlias = tuple[float, float]

UNBOUNDED: Interval = (float("-inf"), float("inf"))


@dataclass(frozen=True)
class Grid:
    """Integers ``lo..hi`` standing for the reals ``scale * integer``; zero always stands for zero."""

    scale: float
    lo: int
    hi: int

    @property
    def magnitude(self) -> int:
        return max(abs(self.lo), abs(self.hi))


@dataclass(frozen=True, eq=False)
class Scaled:
    """``factor * x``; ``factor`` and ``x`` broadcast (numpy rules) to the per-sample output shape."""

    input: str
    factor: Reals


@dataclass(frozen=True, eq=False)
class Convolved:
    """ONNX Conv without bias: weight ``[M, C/groups, *kernel]``, pads in ONNX order (all begins, all ends)."""

    input: str
    weight: Reals
    strides: Shape
    pads: Shape
    dilations: Shape
    groups: int
    factor: Reals | None = None
    """Multiplies the result position by position (an average that does not count padding)."""


@dataclass(frozen=True, eq=False)
class Dense:
    """``x @ weight`` over the last axis of ``x``; weight ``[K, N]``."""

    input: str
    weight: Reals


@dataclass(frozen=True, eq=False)
class Summed:
    """``factor * sum(x over per-sample axes)``; ``factor`` broadcasts to the output shape."""

    input: str
    axes: tuple[int, ...]
    keepdims: bool
    factor: Reals


Term: TypeAlias = Scaled | Convolved | Dense | Summed


@dataclass(frozen=True, eq=False)
class Linear:
    """``clamp(sum of terms + bias, *clamp)``; bias broadcasts to the per-sample output shape."""

    terms: tuple[Term, ...]
    bias: Reals = field(default_factory=lambda: np.zeros(()))
    clamp: Interval = UNBOUNDED

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(term.input for term in self.terms)

    @property
    def identity(self) -> bool:
        """True for ``y = clamp(x)`` of one tensor."""
        return (
            len(self.terms) == 1
            and isinstance(self.terms[0], Scaled)
            and bool(np.all(self.terms[0].factor == 1.0))
            and bool(np.all(self.bias == 0.0))
        )


@dataclass(frozen=True, eq=False)
class Table:
    """``f(x)`` for a scalar function evaluated in decimal arithmetic (the same digits on every machine)."""

    input: str
    function: ScalarFunction
    label: str

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.input,)


@dataclass(frozen=True, eq=False)
class Product:
    """Elementwise (``matrix=False``, broadcasting) or batched matrix product of two dynamic tensors."""

    left: str
    right: str
    matrix: bool
    clamp: Interval = UNBOUNDED

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.left, self.right)


@dataclass(frozen=True, eq=False)
class Pool:
    """Maximum over the valid positions of a window; pads in ONNX order, ceil_mode already resolved into pads."""

    input: str
    kernel: Shape
    strides: Shape
    pads: Shape
    dilations: Shape

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.input,)


@dataclass(frozen=True, eq=False)
class Layout:
    """``kind`` is the gate: ``reshape`` (shape), ``transpose`` (perm), ``concat`` (axis) or ``pad`` (pads, value).

    ``attributes`` are the gate's, except that ``value`` of ``pad`` is real.
    """

    kind: str
    sources: tuple[str, ...]
    attributes: dict[str, Any]

    @property
    def inputs(self) -> tuple[str, ...]:
        return self.sources


@dataclass(frozen=True, eq=False)
class Softmax:
    """Along the last ``flatten`` axes taken as one (ONNX before opset 13), or along ``axis`` when ``flatten`` is 0."""

    input: str
    axis: int
    flatten: int = 0

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.input,)


@dataclass(frozen=True, eq=False)
class ArgMax:
    """Index of the maximum along one per-sample axis."""

    input: str
    axis: int
    keepdims: bool
    select_last_index: bool

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.input,)


Form: TypeAlias = Linear | Table | Product | Pool | Layout | Softmax | ArgMax
