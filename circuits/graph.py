# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is this a circuit?  Wiring, names, ports, and every stated shape and bound against the gate rules.

One function, called by the builder on what it built and by the loader on what it read, so that both accept
the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from circuits.circuit import PROFILE, Constant, Gate, Port, Tensor
from circuits.derivation import check_bounds, check_shape, derive, site_of
from circuits.errors import MalformedError, RejectedError, UnsupportedError
from circuits.gates import rule_of
from circuits.limits import MAX_CONSTANT_READS, MAX_PORTS

REAL_DTYPES = (
    "bool",
    "float16",
    "float32",
    "float64",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
)
"""Types that the real-valued array of a port may have (numpy names)."""


def check_profile(profile: str) -> None:
    """Raises UnsupportedError for any arithmetic profile but the one implemented here."""
    if profile != PROFILE:
        raise UnsupportedError("circuit.profile.unknown", f"arithmetic profile {profile!r}; known: {PROFILE!r}")


def check_graph(
    tensors: Sequence[Tensor],
    constants: Sequence[Constant],
    gates: Sequence[Gate],
    inputs: Sequence[Port],
    outputs: Sequence[Port],
) -> None:
    """Raises MalformedError (circuit.graph.*, .port.*, .gate.*, .tensor.*, .bounds.*), RejectedError for a
    stated shape or bound that differs from the derived one, UnsupportedError for an unknown gate."""
    check_wiring(tensors, constants, gates, inputs, outputs)
    for port in inputs:
        check_shape(tensors[port.tensor].name, tensors[port.tensor].shape)
        check_bounds(tensors[port.tensor].name, tensors[port.tensor].lo, tensors[port.tensor].hi)
        check_port(port)
    reads = 0
    for gate in gates:
        reads += sum(constants[i].data.size for i in gate.constants)
        _check_reads(reads)
        site = site_of(gate, tensors, constants)
        shape, lo, hi = derive(site)
        reads += rule_of(gate.kind).reads(site) - sum(c.size for c in site.constants)  # known once shapes fit
        _check_reads(reads)
        check_derived(tensors[gate.output], shape, lo, hi)
    for port in outputs:
        check_port(port)
        tensor = tensors[port.tensor]
        if (port.real_lo, port.real_hi) != (tensor.lo * port.scale, tensor.hi * port.scale):
            raise RejectedError(
                "circuit.port.range-mismatch",
                f"output {port.name!r} states [{port.real_lo}, {port.real_hi}]; required bounds times scale",
            )


def _check_reads(reads: int) -> None:
    if reads > MAX_CONSTANT_READS:
        raise _graph("too-large", f"gates read over {MAX_CONSTANT_READS} elements of constants")


def check_wiring(
    tensors: Sequence[Tensor],
    constants: Sequence[Constant],
    gates: Sequence[Gate],
    inputs: Sequence[Port],
    outputs: Sequence[Port],
) -> None:
    """Indices, order, names; nothing unused."""
    if not (1 <= len(inputs) <= MAX_PORTS and 1 <= len(outputs) <= MAX_PORTS and gates):
        raise _graph(
            "empty",
            f"{len(inputs)} inputs, {len(gates)} gates, {len(outputs)} outputs; required some of each",
        )
    if len(tensors) != len(inputs) + len(gates):
        raise _graph("tensor-count", f"{len(tensors)} tensors; required {len(inputs) + len(gates)}")
    for index, port in enumerate(inputs):
        if port.tensor != index:
            raise _graph("order", f"input {index} is tensor {port.tensor}; required tensor {index}")
    used_tensors, used_constants = set[int](), set[int]()
    for index, gate in enumerate(gates, start=len(inputs)):
        if gate.output != index:
            raise _graph("order", f"gate {gate.name!r} produces tensor {gate.output}; required {index}")
        if any(i >= index for i in gate.inputs) or any(i >= len(constants) for i in gate.constants):
            raise _graph("index", f"gate {gate.name!r} reads what is not there yet")
        if gate.name != tensors[index].name:
            raise _graph("name", f"gate {gate.name!r} produces tensor {tensors[index].name!r}; required its own name")
        used_tensors.update(gate.inputs)
        used_constants.update(gate.constants)
    for port in outputs:
        if not 0 <= port.tensor < len(tensors):
            raise _graph("index", f"output {port.name!r} is tensor {port.tensor} of {len(tensors)}")
        used_tensors.add(port.tensor)
    for kind, names in (
        ("tensor", [t.name for t in tensors]),
        ("constant", [c.name for c in constants]),
        ("input", [p.name for p in inputs]),
        ("output", [p.name for p in outputs]),
    ):
        if len(set(names)) != len(names):
            raise _graph("name", f"two {kind}s have the same name; required distinct names")
    if len(used_tensors) != len(tensors) or len(used_constants) != len(constants):
        idle = [t.name for i, t in enumerate(tensors) if i not in used_tensors]
        idle += [c.name for i, c in enumerate(constants) if i not in used_constants]
        raise _graph("unused", f"nothing reads {', '.join(map(repr, idle[:4]))}; required no dead parts")


def check_derived(tensor: Tensor, shape: tuple[int, ...], lo: int, hi: int) -> None:
    """The stated shape and bounds are the derived ones."""
    if tensor.shape != shape:
        raise RejectedError(
            "circuit.tensor.shape-mismatch",
            f"tensor {tensor.name!r} states {list(tensor.shape)}; the gate rule gives {list(shape)}",
        )
    if (tensor.lo, tensor.hi) != (lo, hi):
        raise RejectedError(
            "circuit.tensor.bounds-mismatch",
            f"tensor {tensor.name!r} states [{tensor.lo}, {tensor.hi}]; the gate rule gives [{lo}, {hi}]",
        )


def check_port(port: Port) -> None:
    """A known dtype, a finite positive scale, a finite range."""
    if port.dtype not in REAL_DTYPES:
        raise MalformedError("circuit.port.dtype", f"port {port.name!r} has dtype {port.dtype!r}")
    finite = all(map(math.isfinite, (port.scale, port.real_lo, port.real_hi)))
    if not finite or port.scale <= 0 or port.real_lo > port.real_hi:
        raise MalformedError(
            "circuit.port.range",
            f"port {port.name!r}: scale {port.scale}, range [{port.real_lo}, {port.real_hi}]; "
            "required finite, scale > 0, lo <= hi",
        )


def _graph(code: str, message: str) -> MalformedError:
    return MalformedError(f"circuit.graph.{code}", message)
