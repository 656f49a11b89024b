# SPDX-License-Identifier: AGPL-3.0-or-later
"""A circuit without its weights: what a verifier of mode `committed` needs, named by the same circuit digest.

::

    "AFFOUTL1"  u32 LE header length  header of the circuit file  raw constants, in table order, but for hidden ones

Hidden are constants that only conv and dense gates read.  Without them the bounds of conv and dense outputs cannot be
derived: they are taken from the header, which the digest covers.  Everything else is checked as in a circuit file.
"""

from __future__ import annotations

import hashlib

import numpy as np

from circuits import Circuit, Constant
from circuits.circuit import CIRCUIT_LABEL, WEIGHTS_LABEL, Gate
from circuits.constants import check_constant
from circuits.derivation import check_bounds, check_operands, check_shape, derive, parse_attributes, site_of
from circuits.gates import Site, rule_of
from circuits.graph import check_derived, check_port, check_profile, check_wiring
from circuits.header import DTYPES, ConstantEntry, decode_header
from circuits.limits import MAX_CONSTANT_ELEMENTS, MAX_HEADER
from verifier.errors import MalformedError, RejectedError

MAGIC = b"AFFOUTL1"
MAX_OUTLINE = 1 << 26
"""Bytes of an outline."""
MAX_HIDDEN = 1 << 28
"""Hidden values of a circuit, all together."""


def hidden_constants(gates: tuple[Gate, ...]) -> frozenset[int]:
    """Constants that only conv and dense gates read."""
    linear = {i for g in gates if g.kind in ("conv", "dense") for i in g.constants}
    others = {i for g in gates if g.kind not in ("conv", "dense") for i in g.constants}
    return frozenset(linear - others)


def dump_outline(circuit: Circuit) -> bytes:
    """The outline of a circuit."""
    hidden = hidden_constants(circuit.gates)
    visible = [c.raw for i, c in enumerate(circuit.constants) if i not in hidden]
    return b"".join([MAGIC, len(circuit.header).to_bytes(4, "little"), circuit.header, *visible])


def load_outline(data: bytes, digest: bytes) -> Circuit:
    """The circuit of that digest, with zeros for hidden constants: for `verify_proof` with a weights commitment only.

    Raises MalformedError and RejectedError proof.outline.*, and the errors of `circuits.load_circuit`.
    """
    if len(data) > MAX_OUTLINE:
        raise MalformedError("proof.outline.too-large", f"{len(data)} bytes; at most {MAX_OUTLINE} are allowed")
    size = int.from_bytes(data[8:12], "little")
    if data[:8] != MAGIC or size > MAX_HEADER or len(data) < 12 + size:
        raise MalformedError("proof.outline.grammar", "no outline: magic, header length or header are wrong")
    raw = bytes(data[12 : 12 + size])
    if hashlib.sha256(CIRCUIT_LABEL + raw).digest() != digest:
        raise RejectedError("proof.outline.digest-mismatch", "the outline is not that of the circuit with this digest")
    header = decode_header(raw)
    check_profile(header.profile)
    constants = _constants(data[12 + size :], header.constants, hidden_constants(header.gates))
    check_wiring(header.tensors, constants, header.gates, header.inputs, header.outputs)
    circuit = Circuit(
        header.profile,
        header.source,
        header.tensors,
        constants,
        header.gates,
        header.inputs,
        header.outputs,
        header.quality,
        raw,
    )
    for port in circuit.inputs:
        tensor = circuit.tensors[port.tensor]
        check_shape(tensor.name, tensor.shape)
        check_bounds(tensor.name, tensor.lo, tensor.hi)
    for port in (*circuit.inputs, *circuit.outputs):
        check_port(port)
    for gate in circuit.gates:
        _check_gate(circuit, gate)
    return circuit


def stated_weights(outline: Circuit) -> bytes:
    """The weights digest of the circuit whose outline this is: the header names every constant by SHA-256."""
    constants = decode_header(outline.header).constants
    return hashlib.sha256(WEIGHTS_LABEL + b"".join(c.sha256 for c in constants)).digest()


def _check_gate(circuit: Circuit, gate: Gate) -> None:
    site, tensor = site_of(gate, circuit.tensors, circuit.constants), circuit.tensors[gate.output]
    if gate.kind not in ("conv", "dense"):
        check_derived(tensor, *derive(site))
        return
    rule = rule_of(gate.kind)
    check_operands(rule, site)
    checked = Site(site.kind, site.name, site.inputs, site.constants, parse_attributes(rule, site))
    shape = rule.shape(checked)
    check_shape(tensor.name, shape)
    check_bounds(tensor.name, tensor.lo, tensor.hi)
    check_derived(tensor, shape, tensor.lo, tensor.hi)


def _constants(body: bytes, entries: tuple[ConstantEntry, ...], hidden: frozenset[int]) -> tuple[Constant, ...]:
    constants, at, hidden_values = [], 0, 0
    for index, entry in enumerate(entries):
        count = int(np.prod(entry.shape, dtype=object)) if entry.shape else 1
        hidden_values += count if index in hidden else 0
        if not 0 < count <= MAX_CONSTANT_ELEMENTS or hidden_values > MAX_HIDDEN:
            raise MalformedError("proof.outline.shape", f"constant {entry.name!r} is {list(entry.shape)}")
        kind = np.dtype(DTYPES[entry.dtype])
        if index in hidden:
            constants.append(Constant(entry.name, np.zeros(entry.shape, kind.newbyteorder("="))))
            continue
        piece = body[at : at + count * kind.itemsize]
        at += count * kind.itemsize
        if len(piece) != count * kind.itemsize:
            raise MalformedError("proof.outline.grammar", f"constant {entry.name!r} is cut short")
        if hashlib.sha256(piece).digest() != entry.sha256:
            raise RejectedError("proof.outline.constant-mismatch", f"constant {entry.name!r} differs from its SHA-256")
        array = np.frombuffer(piece, kind).reshape(entry.shape)
        constant = Constant(entry.name, array.astype(kind.newbyteorder("="), copy=False))
        check_constant(constant)
        constants.append(constant)
    if at != len(body):
        raise MalformedError("proof.outline.grammar", f"{len(body) - at} bytes behind the last constant")
    return tuple(constants)
