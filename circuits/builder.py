# SPDX-License-Identifier: AGPL-3.0-or-later
"""Building a circuit gate by gate; shapes and bounds come from the gate rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from circuits.circuit import PROFILE, Attribute, Circuit, Constant, Gate, Port, Tensor
from circuits.constants import make_constant
from circuits.derivation import check_bounds, check_operands, check_shape, derive, parse_attributes, site_of
from circuits.errors import MalformedError
from circuits.gates import Site, rule_of
from circuits.graph import check_graph, check_port, check_profile
from circuits.header import encode_header, text


class CircuitBuilder:
    """Inputs first, then constants and gates in any order, then outputs, then `build`.

    Every method raises MalformedError with the offending name where an operand doesn't fit; `gate` also
    refuses whatever could reach 2^53 in magnitude (circuit.bounds.too-wide).
    """

    def __init__(self, *, profile: str = PROFILE, source: Mapping[str, object] | None = None) -> None:
        check_profile(profile)
        self._profile = profile
        self._source = dict(source or {})
        self._tensors: list[Tensor] = []
        self._constants: list[Constant] = []
        self._gates: list[Gate] = []
        self._inputs: list[Port] = []
        self._outputs: list[Port] = []
        self._names: set[str] = set()

    @property
    def tensors(self) -> Sequence[Tensor]:
        """The tensors so far, by index."""
        return tuple(self._tensors)

    @property
    def gates(self) -> Sequence[Gate]:
        """The gates so far."""
        return tuple(self._gates)

    def tensor(self, index: int) -> Tensor:
        """One tensor so far."""
        return self._tensors[index]

    def input(
        self,
        name: str,
        shape: Sequence[int],
        lo: int,
        hi: int,
        *,
        dtype: str = "float32",
        scale: float = 1.0,
        real_lo: float | None = None,
        real_hi: float | None = None,
    ) -> int:
        """An input of per-sample `shape` with integers in [lo, hi], real values = integer * scale.

        The accepted real range defaults to [lo*scale, hi*scale]. Returns the tensor's index.
        """
        if self._gates:
            raise MalformedError("circuit.graph.order", f"input {name!r} comes after a gate; required before all gates")
        self._claim(name)
        tensor = Tensor(name, tuple(int(d) for d in shape), int(lo), int(hi))
        check_shape(name, tensor.shape)
        check_bounds(name, tensor.lo, tensor.hi)
        least = lo * scale if real_lo is None else real_lo
        most = hi * scale if real_hi is None else real_hi
        port = Port(name, len(self._tensors), dtype, float(scale), float(least), float(most))
        check_port(port)
        self._tensors.append(tensor)
        self._inputs.append(port)
        return port.tensor

    def constant(self, name: str, array: npt.ArrayLike) -> int:
        """An integer array below 2^53 in magnitude, stored in the narrowest type. Returns its index."""
        text(name, "constant name")
        if any(c.name == name for c in self._constants):
            raise MalformedError("circuit.graph.name", f"constant {name!r} exists already; required distinct names")
        self._constants.append(make_constant(name, array))
        return len(self._constants) - 1

    def gate(
        self,
        kind: str,
        name: str,
        inputs: Sequence[int],
        constants: Sequence[int] = (),
        **attributes: int | bool | Sequence[int] | np.integer | npt.NDArray[np.integer],
    ) -> int:
        """A gate over tensors and constants by index. Returns the index of the tensor it produces."""
        if any(not 0 <= i < len(self._tensors) for i in inputs) or any(
            not 0 <= i < len(self._constants) for i in constants
        ):
            raise MalformedError("circuit.graph.index", f"gate {name!r} reads what is not there yet")
        rule = rule_of(kind)
        given = {key: _plain(value) for key, value in attributes.items()}
        draft = Gate(kind, name, tuple(inputs), len(self._tensors), tuple(constants), given)
        site = site_of(draft, self._tensors, self._constants)
        check_operands(rule, site)
        site = Site(kind, name, site.inputs, site.constants, {**rule.defaults(site), **given})
        shape, lo, hi = derive(site)
        self._claim(name)
        gate = Gate(kind, name, draft.inputs, draft.output, draft.constants, parse_attributes(rule, site))
        self._gates.append(gate)
        self._tensors.append(Tensor(name, shape, lo, hi))
        return gate.output

    def output(self, name: str, tensor: int, *, dtype: str = "float32", scale: float = 1.0) -> None:
        """Make a tensor an output.

        Real value = integer * scale; with an integer `dtype` (arg_max) the integer itself.
        """
        if not 0 <= tensor < len(self._tensors):
            raise MalformedError("circuit.graph.index", f"output {name!r} is tensor {tensor} of {len(self._tensors)}")
        text(name, "output name")
        bounds = self._tensors[tensor]
        port = Port(name, tensor, dtype, float(scale), bounds.lo * float(scale), bounds.hi * float(scale))
        check_port(port)
        self._outputs.append(port)

    def build(self, *, quality: Mapping[str, object] | None = None) -> Circuit:
        """The circuit, checked as a loader would.

        Dead gates and unused constants are refused (circuit.graph.unused).
        """
        measured = dict(quality or {})
        check_graph(self._tensors, self._constants, self._gates, self._inputs, self._outputs)
        header = encode_header(
            self._profile,
            self._source,
            self._tensors,
            self._constants,
            self._gates,
            self._inputs,
            self._outputs,
            measured,
        )
        return Circuit(
            self._profile,
            self._source,
            tuple(self._tensors),
            tuple(self._constants),
            tuple(self._gates),
            tuple(self._inputs),
            tuple(self._outputs),
            measured,
            header,
        )

    def _claim(self, name: str) -> None:
        text(name, "tensor name")
        if name in self._names:
            raise MalformedError("circuit.graph.name", f"tensor {name!r} exists already; required distinct names")
        self._names.add(name)


def _plain(value: int | bool | Sequence[int] | np.integer | npt.NDArray[np.integer]) -> Attribute:
    """numpy integers and lists to plain ints and tuples."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    return tuple(int(v) for v in value)
