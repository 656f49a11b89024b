# SPDX-License-Identifier: AGPL-3.0-or-later
"""Units: in which power of two each tensor is best produced.

A requantisation by s wants its input in units of 2^-s; a convolution can deliver any units for free, because
they fold into its weights; gates that only move elements pass the wish on. One pass from the outputs to the
inputs collects what the readers of each tensor want; the majority wins, and the others multiply.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from circuits.circuit import Circuit
from circuits.emission.value import Exponent
from circuits.gates import Site, rule_of


def demanded_units(circuit: Circuit, sites: Sequence[Site]) -> list[Exponent]:
    """Wanted units of every tensor."""
    votes: list[list[Exponent]] = [[] for _ in circuit.tensors]
    wanted: list[Exponent] = [(0,)] * len(circuit.tensors)
    for gate, site in zip(reversed(circuit.gates), reversed(sites), strict=True):
        if votes[gate.output]:
            wanted[gate.output] = Counter(votes[gate.output]).most_common(1)[0][0]
        for index, wish in zip(gate.inputs, rule_of(gate.kind).wants(site, wanted[gate.output]), strict=True):
            if wish is not None:
                votes[index].append(wish)
    return wanted
