# SPDX-License-Identifier: AGPL-3.0-or-later
"""What an ONNX operator tells the compiler: its signature, its shape rule, and its meaning as a form.

One subclass per operator, one file per subclass; `template.py` is the one to copy. Nothing here, and nothing in the
operator files, knows the ONNX library: they see names, attributes as plain Python values, and numpy arrays.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from circuits.errors import MalformedError, UnsupportedError
from circuits.ops.batch import BATCH, Dim, Dims, show
from circuits.ops.forms import Form, Grid, Interval, Shape

Array: TypeAlias = npt.NDArray[Any]
MICROSOFT = "com.microsoft"


@dataclass(frozen=True)
class Node:
    """One node of the imported model. ``""`` among the inputs is an optional input that is not there."""

    op: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    opset: int = 0

    @property
    def output(self) -> str:
        return self.outputs[0]


@dataclass(frozen=True)
class Call:
    """A node together with what is known of its inputs: full shapes, and values where they are constant."""

    node: Node
    shapes: Mapping[str, Dims]
    constants: Mapping[str, Array]
    fixed_batch: int | None = None
    """Batch size that the model's inputs state, when they state one."""
    integers_of: frozenset[str] = frozenset()
    """Dynamic tensors that hold machine integers (uint8 pictures before their Cast, indices from ArgMax)."""

    @property
    def opset(self) -> int:
        return self.node.opset

    def has(self, index: int) -> bool:
        """Is the optional input there?"""
        return index < len(self.node.inputs) and self.node.inputs[index] != ""

    def name(self, index: int = 0) -> str:
        """Name of an input that must be there."""
        if not self.has(index):
            raise MalformedError(
                "compile.onnx.malformed", f"{self.where}: input {index} is missing", "Export the model again."
            )
        return self.node.inputs[index]

    def is_constant(self, index: int) -> bool:
        return self.has(index) and self.node.inputs[index] in self.constants

    def integral(self, index: int) -> bool:
        """Does this dynamic input hold machine integers?"""
        return self.has(index) and self.node.inputs[index] in self.integers_of

    @property
    def dynamic(self) -> tuple[int, ...]:
        """Indices of the inputs that depend on the model's inputs."""
        return tuple(i for i in range(len(self.node.inputs)) if self.has(i) and not self.is_constant(i))

    def constant(self, index: int) -> Array:
        """Value of an input that must be constant."""
        if not self.is_constant(index):
            raise self.refuse(
                f"input {index} ({self.name(index)!r}) is computed from the model's inputs",
                "It must be a constant of the model.",
            )
        return self.constants[self.node.inputs[index]]

    def reals(self, index: int) -> npt.NDArray[np.float64]:
        """A constant input as float64; refuses NaN and infinities."""
        value = self.constant(index)
        if value.dtype == object or value.dtype.kind not in "fiub":
            raise self.refuse(f"input {index} has type {value.dtype}, a number is needed")
        out = value.astype(np.float64)
        if not np.isfinite(out).all():
            raise MalformedError(
                "compile.weights.not-finite",
                f"{self.where}: constant {self.name(index)!r} holds NaN or infinity",
                "Export the model again from a checkpoint that is sound.",
            )
        return out

    def scalar(self, index: int) -> float:
        """A constant input of one element."""
        value = self.reals(index)
        if value.size != 1:
            raise self.refuse(f"input {index} has {value.size} elements, one is supported")
        return float(value.reshape(-1)[0])

    def dims(self, index: int = 0) -> Dims:
        """Full shape of an input."""
        return self.shapes[self.name(index)]

    def sample(self, index: int = 0) -> Shape:
        """Per-sample shape of a dynamic input."""
        dims = self.dims(index)
        if not dims or dims[0] != BATCH:
            raise self.refuse(f"input {index} has shape {show(dims)}: axis 0 must be the batch")
        return cast(Shape, dims[1:])

    def attribute(self, name: str, default: Any) -> Any:
        return self.node.attributes.get(name, default)

    def integers(self, name: str, default: Sequence[int]) -> Shape:
        return tuple(int(v) for v in self.attribute(name, default))

    def axis(self, axis: int, rank: int | None = None) -> int:
        """A full-shape axis attribute as a non-negative number; the batch axis is refused."""
        rank = len(self.dims()) if rank is None else rank
        if not -rank <= axis < rank:
            raise MalformedError("compile.onnx.malformed", f"{self.where}: axis {axis} of a tensor of rank {rank}")
        axis %= rank
        if axis == 0:
            raise self.refuse("works along axis 0, the batch", "Samples must be independent of each other.")
        return axis

    @property
    def where(self) -> str:
        domain = f"{self.node.domain}." if self.node.domain else ""
        return f"operator {domain}{self.node.op}, node {self.node.name!r}"

    def refuse(self, reason: str, remedy: str = "") -> UnsupportedError:
        """The refusal to raise; names the operator and the node."""
        return UnsupportedError(
            "compile.operator.unsupported",
            f"{self.where}: {reason}",
            remedy or "Rewrite this part of the model with supported operators (docs/compiling.md).",
        )


class Operator(ABC):
    """One ONNX operator."""

    name: ClassVar[str]
    domain: ClassVar[str] = ""
    since: ClassVar[int] = 7
    """First opset version whose meaning is implemented."""
    attributes: ClassVar[frozenset[str]] = frozenset()
    """Attributes whose every value is understood or refused; any other attribute is refused."""

    @abstractmethod
    def shapes(self, call: Call) -> tuple[Dims, ...]:
        """Full shapes of the outputs."""

    def form(self, call: Call) -> Form:
        """The real-valued meaning of output 0, on per-sample shapes."""
        raise call.refuse("is supported only where it can be computed before the input is known")

    def fold(self, call: Call, values: Sequence[Array]) -> tuple[Array, ...] | None:
        """Outputs for constant inputs; None when this operator has no constant evaluation."""
        return None

    def partial(self, call: Call) -> Array | None:
        """Output 0 where it is known although an input is dynamic (the operator Shape)."""
        return None

    def alias(self, call: Call) -> bool:
        """True when output 0 is input 0, unchanged."""
        return False

    def scalar(self, call: Call, *args: Decimal) -> Decimal | None:
        """Elementwise meaning on exact decimals, one argument per input; None when not elementwise."""
        return None

    def linear(self, call: Call) -> bool:
        """True when, alone, the operator is better a clamped linear map than a table."""
        return self.window(call) is not None

    def window(self, call: Call) -> Interval | None:
        """``(lo, hi)`` when the operator is ``clamp(x, lo, hi)``."""
        return None

    def grid(self, call: Call) -> Mapping[str, Grid]:
        """Grids that a quantised operator dictates, by tensor name."""
        return {}


def broadcast(call: Call, *indices: int) -> Dims:
    """Numpy broadcasting of full shapes in which axis 0 of the dynamic ones is the batch."""
    dims = [call.dims(i) for i in indices]
    rank = max(len(d) for d in dims)
    for i, d in zip(indices, dims, strict=True):
        if not call.is_constant(i) and len(d) != rank:
            raise call.refuse(
                f"input {i} of shape {show(d)} is broadcast over the batch axis",
                "Give the operands the same rank.",
            )
    out: list[Dim] = []
    for axis in range(rank):
        column = [d[axis - rank + len(d)] for d in dims if axis - rank + len(d) >= 0]
        sizes = {d for d in column if d != 1}
        if BATCH in sizes and len(sizes) > 1 and all(s == BATCH or s == call.fixed_batch for s in sizes):
            sizes = {BATCH}
        if len(sizes) > 1:
            raise MalformedError(
                "compile.onnx.malformed",
                f"{call.where}: shapes {', '.join(map(show, dims))} do not broadcast",
            )
        out.append(sizes.pop() if sizes else 1)
    return tuple(out)


def per_sample(call: Call, index: int) -> npt.NDArray[np.float64]:
    """A constant operand of an elementwise operator, without its batch axis (which must have size 1)."""
    value = call.reals(index)
    rank = max(len(call.dims(i)) for i in range(len(call.node.inputs)) if call.has(i))
    if value.ndim == rank and rank > 0:
        if value.shape[0] != 1:
            raise call.refuse(f"constant {call.name(index)!r} of shape {show(value.shape)} differs between samples")
        value = value[0]
    return value
