# SPDX-License-Identifier: AGPL-3.0-or-later
"""The gates of `int-shift-floor@v1`, one small file each.

======================================  ==================================================================
linear, constant weights                conv, dense, affine
linear, no constants                    reduce_sum, reshape, transpose, concat, pad
products of computed tensors            matmul, mul
non-linear                              requant, table, max_pool, arg_max, softmax
======================================  ==================================================================

`rule` is the contract, `attributes` the attribute types; `windows`, `sums`, `broadcast`, `layout`, `limbs`
hold what several gates need. To add a gate, copy `reshape.py` (it has every part and little else), fill in
the seven lines of the docstring, add the class to `RULES`, a row to the table in docs/spec/circuit-v1.md and
a strategy to tests/circuits/strategies.py. A new gate is a new profile: old verifiers must be able to say
that they don't know it.
"""

from __future__ import annotations

from circuits.errors import UnsupportedError
from circuits.gates.affine import Affine
from circuits.gates.arg_max import ArgMax
from circuits.gates.concat import Concat
from circuits.gates.conv import Conv
from circuits.gates.dense import Dense
from circuits.gates.matmul import Matmul
from circuits.gates.max_pool import MaxPool
from circuits.gates.mul import Mul
from circuits.gates.pad import Pad
from circuits.gates.reduce_sum import ReduceSum
from circuits.gates.requant import Requant
from circuits.gates.reshape import Reshape
from circuits.gates.rule import Bounds, Cost, GateRule, Site
from circuits.gates.softmax import Softmax
from circuits.gates.table import Table
from circuits.gates.transpose import Transpose

__all__ = ["RULES", "Bounds", "Cost", "GateRule", "Site", "rule_of"]

RULES: dict[str, GateRule] = {
    rule.kind: rule
    for rule in (
        Affine(),
        ArgMax(),
        Concat(),
        Conv(),
        Dense(),
        Matmul(),
        MaxPool(),
        Mul(),
        Pad(),
        ReduceSum(),
        Requant(),
        Reshape(),
        Softmax(),
        Table(),
        Transpose(),
    )
}


def rule_of(kind: str) -> GateRule:
    """The rule of that kind. Raises UnsupportedError for a kind that the profile doesn't have."""
    try:
        return RULES[kind]
    except KeyError:
        known = ", ".join(sorted(RULES))
        raise UnsupportedError("circuit.gate.unknown", f"gate kind {kind[:64]!r}; known: {known}") from None
