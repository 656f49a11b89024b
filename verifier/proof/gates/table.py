# SPDX-License-Identifier: AGPL-3.0-or-later
"""table: y = T[x - lo(x)]: one lookup of (x, y) per element.  y is committed."""

from __future__ import annotations

from circuits import Gate
from circuits.gates import Site
from verifier.proof.plan import Lookup, Plan, column, tensor
from verifier.proof.tables import Pairs


def plan_table(plan: Plan, gate: Gate, site: Site) -> None:
    """See the module."""
    x, (values,) = site.inputs[0], site.constants
    plan.commit(gate.output)
    table = plan.add_table(("pairs", x.lo, gate.constants[0]), lambda: Pairs(x.lo, values))
    y = column(plan.column_of[gate.output])
    plan.lookups.append(Lookup(gate.name, table, plan.shape_of(gate.output), tensor(gate.inputs[0]), y))
