# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a gate is: the contract that every file of this folder fulfils once.

A rule has no state. `shape` and `bounds` are the static semantics, re-derived by every loader; `evaluate` is
the meaning, in int64; `emit` writes the same function as ONNX nodes; `cost` is what the prover's planner
reads.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple, cast

from circuits.circuit import Attribute, IntArray, Shape, Tensor
from circuits.errors import MalformedError
from circuits.gates.attributes import Field

if TYPE_CHECKING:
    from circuits.emission.job import Job
    from circuits.emission.value import Exponent, Value


class Bounds(NamedTuple):
    """Exact bounds of a gate's output, and `reach`: the largest magnitude of any partial sum on the way."""

    lo: int
    hi: int
    reach: int


class Cost(NamedTuple):
    """Work per sample: multiplications of a linear map, and lookups (range checks count as one each)."""

    multiplications: int
    lookups: int


@dataclass(frozen=True, slots=True)
class Site:
    """One use of a gate: what its rule may look at."""

    kind: str
    name: str
    inputs: tuple[Tensor, ...]
    constants: tuple[IntArray, ...]
    attributes: Mapping[str, Attribute]

    def integer(self, name: str) -> int:
        """An integer (or flag) attribute."""
        return int(cast(int, self.attributes[name]))  # the schema has been checked

    def integers(self, name: str) -> tuple[int, ...]:
        """A list-of-integers attribute."""
        return cast(tuple[int, ...], self.attributes[name])  # the schema has been checked

    def refuse(self, code: str, message: str, remedy: str = "") -> MalformedError:
        """A MalformedError that names this gate; to be raised by the caller."""
        return MalformedError(f"circuit.gate.{code}", f"gate {self.name!r} ({self.kind}): {message}", remedy)


class GateRule(ABC):
    """One kind of gate."""

    kind: ClassVar[str]
    arity: ClassVar[tuple[int, int]] = (1, 1)
    """Least and most number of input tensors."""
    schema: ClassVar[Mapping[str, Field]] = {}
    """Attributes; all of them are present in a file."""

    def constants(self, inputs: int) -> int:
        """Number of constants that the gate takes with so many inputs."""
        return 0

    def defaults(self, site: Site) -> Mapping[str, Attribute]:
        """Attributes that the builder fills in when they are not given. Files have no defaults."""
        return {}

    @abstractmethod
    def shape(self, site: Site) -> Shape:
        """Per-sample shape of the output. Raises MalformedError when operands don't fit together."""

    @abstractmethod
    def bounds(self, site: Site, shape: Shape) -> Bounds:
        """Exact bounds of the output of that shape."""

    def reads(self, site: Site) -> int:
        """Elements that `bounds` works on: what loading the gate costs."""
        return sum(constant.size for constant in site.constants)

    @abstractmethod
    def evaluate(self, site: Site, arrays: Sequence[IntArray]) -> IntArray:
        """The meaning: int64 arrays with a leading batch axis in, one out. Inputs are within their bounds."""

    def wants(self, site: Site, wanted: Exponent) -> tuple[Exponent | None, ...]:
        """Units in which each input comes in free of charge, if the output is wanted in units 2^-wanted.

        None where the gate doesn't care. The default: plain integers.
        """
        return ((0,),) * len(site.inputs)

    @abstractmethod
    def emit(self, job: Job) -> Value:
        """Write ONNX nodes that compute `evaluate` exactly; return where the result is."""

    @abstractmethod
    def cost(self, site: Site, shape: Shape) -> Cost:
        """Work per sample."""
