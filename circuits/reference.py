# SPDX-License-Identifier: AGPL-3.0-or-later
"""The meaning of a circuit: its gates, one after the other, in numpy int64. Slow and obvious on purpose."""

from __future__ import annotations

from collections.abc import Mapping

from circuits.circuit import Circuit, IntArray
from circuits.derivation import site_of
from circuits.gates import rule_of
from circuits.signature import check_integers


def evaluate(circuit: Circuit, inputs: Mapping[str, IntArray]) -> list[IntArray]:
    """Integer inputs {port name: int64 [batch, *shape]} -> one int64 array [batch, *shape] per tensor index.

    Raises MalformedError (input.*) for arrays that are no inputs of this circuit.
    """
    check_integers(circuit, inputs)
    arrays = [inputs[port.name] for port in circuit.inputs]
    for gate in circuit.gates:
        site = site_of(gate, circuit.tensors, circuit.constants)
        arrays.append(rule_of(gate.kind).evaluate(site, [arrays[i] for i in gate.inputs]))
    return arrays
