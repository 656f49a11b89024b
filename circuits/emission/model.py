# SPDX-License-Identifier: AGPL-3.0-or-later
"""Circuit -> ONNX model that computes the same integers in floating point, exactly."""

from __future__ import annotations

from dataclasses import dataclass, replace

from circuits.circuit import Circuit
from circuits.derivation import site_of
from circuits.emission.demand import demanded_units
from circuits.emission.job import Job
from circuits.emission.value import Recovery, Value
from circuits.emission.writer import Writer
from circuits.gates import rule_of
from circuits.limits import NARROW


@dataclass(frozen=True, slots=True)
class Emission:
    """`model` is a serialised ONNX model.

    `inputs` are the names of its inputs, in port order, and whether each is float64 (else float32). `outputs`
    are the names of its outputs. `recoveries[i]` says how to read tensor i: from an output of that name, or
    from the input of that name; without `expose_all` only what the circuit's outputs need is there.
    """

    model: bytes
    inputs: tuple[tuple[str, bool], ...]
    outputs: tuple[str, ...]
    recoveries: tuple[Recovery, ...]


def to_onnx(circuit: Circuit, *, expose_all: bool = False) -> Emission:
    """Emit a circuit as a plain ONNX graph (opset 18, float32 and float64, no custom operators).

    With `expose_all` every tensor can be read, which keeps the runtime from fusing much. The integers are the
    same. Raises UnsupportedError (circuit.emission.*) for a circuit that has no exact emission.
    """
    writer = Writer()
    sites = [site_of(gate, circuit.tensors, circuit.constants) for gate in circuit.gates]
    wanted = demanded_units(circuit, sites)
    readers = _readers(circuit)
    values: list[Value] = []
    for tensor in circuit.tensors[: len(circuit.inputs)]:
        wide = tensor.magnitude >= NARROW
        values.append(Value(writer.input(tensor.shape, wide), wide, (0,), len(tensor.shape), tensor.magnitude))
    inputs = tuple((v.name, v.wide) for v in values)
    for gate, site in zip(circuit.gates, sites, strict=True):
        operands = [values[i] for i in gate.inputs]
        sole = [readers[i] == 1 for i in gate.inputs]
        job = Job(site, circuit.tensors[gate.output], operands, wanted[gate.output], sole, writer)
        values.append(rule_of(gate.kind).emit(job))
    for index in sorted({p.tensor for p in circuit.outputs if values[p.tensor].floor}):
        values[index] = replace(values[index], name=writer.shared("Floor", [values[index].name]), floor=False)
    exposed = range(len(values)) if expose_all else [port.tensor for port in circuit.outputs]
    outputs: dict[str, tuple[str, tuple[int, ...], bool]] = {}
    for index in exposed:
        value = values[index]
        if value.name not in (name for name, _ in inputs):
            outputs.setdefault(value.name, (value.name, circuit.tensors[index].shape, value.wide))
    if not outputs:  # a circuit whose outputs are its inputs still needs a graph with a node
        value = values[circuit.outputs[0].tensor]
        shape = circuit.tensors[circuit.outputs[0].tensor].shape
        outputs[""] = (writer.node("Identity", [value.name]), shape, value.wide)
    return Emission(
        writer.model(list(outputs.values())),
        inputs,
        tuple(name for name, _, _ in outputs.values()),
        tuple(Recovery(v.name, v.exponent, v.floor) for v in values),
    )


def _readers(circuit: Circuit) -> list[int]:
    """How many times each tensor is read, by gates and by output ports."""
    counts = [0] * len(circuit.tensors)
    for index in [i for gate in circuit.gates for i in gate.inputs] + [p.tensor for p in circuit.outputs]:
        counts[index] += 1
    return counts
