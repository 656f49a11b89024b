# SPDX-License-Identifier: AGPL-3.0-or-later
"""A part of a circuit in clear: what the client computes before it encrypts, and after it has decrypted."""

from __future__ import annotations

from collections.abc import Mapping

from circuits import Circuit
from circuits.circuit import IntArray
from circuits.derivation import site_of
from circuits.gates import rule_of


def evaluate_from(circuit: Circuit, known: Mapping[int, IntArray], wanted: frozenset[int]) -> dict[int, IntArray]:
    """Tensors of a circuit from others of its tensors, by the reference rules of the gates between them.

    Args:
        circuit: the model.
        known: int64 [batch, *shape] by tensor; within the circuit's bounds.
        wanted: tensors that follow from them.

    Raises:
        KeyError: a wanted tensor does not follow from the known ones.
    """
    needed = set(wanted - known.keys())
    chosen = []
    for gate in reversed(circuit.gates):
        if gate.output in needed:
            chosen.append(gate)
            needed |= set(gate.inputs) - known.keys()
    found = dict(known)
    for gate in reversed(chosen):
        site = site_of(gate, circuit.tensors, circuit.constants)
        found[gate.output] = rule_of(gate.kind).evaluate(site, [found[index] for index in gate.inputs])
    return {index: found[index] for index in wanted}
