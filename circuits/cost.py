# SPDX-License-Identifier: AGPL-3.0-or-later
"""How much work a circuit is, before anybody runs it."""

from __future__ import annotations

from circuits.circuit import Circuit
from circuits.derivation import site_of
from circuits.gates import rule_of
from circuits.gates.rule import Cost


def cost(circuit: Circuit) -> Cost:
    """Multiplications of linear maps, and lookups, per sample: the sum over all gates."""
    multiplications = lookups = 0
    for gate in circuit.gates:
        site = site_of(gate, circuit.tensors, circuit.constants)
        here = rule_of(gate.kind).cost(site, circuit.tensors[gate.output].shape)
        multiplications += here.multiplications
        lookups += here.lookups
    return Cost(multiplications, lookups)


def elements(circuit: Circuit) -> int:
    """Elements of all tensors together, per sample: what a trace holds in memory."""
    return sum(tensor.elements for tensor in circuit.tensors)
