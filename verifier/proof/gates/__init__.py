# SPDX-License-Identifier: AGPL-3.0-or-later
"""How each gate is argued: planners of non-linear gates, and the kinds whose claims `linear` pushes backwards.

A planner has the signature ``(plan, gate, site) -> None``.  It commits to the gate's output and to what else the
argument needs, adds lookups and constraints, and appends a recipe from which the prover fills the columns.
"""

from __future__ import annotations

from collections.abc import Callable

from circuits import Gate
from circuits.gates import Site
from verifier.proof.gates.max_pool import plan_max_pool
from verifier.proof.gates.requant import plan_requant
from verifier.proof.gates.table import plan_table
from verifier.proof.plan import Plan

__all__ = ["LINEAR", "PLANNERS"]

LINEAR = frozenset({"affine", "concat", "conv", "dense", "pad", "reduce_sum", "reshape", "transpose"})

PLANNERS: dict[str, Callable[[Plan, Gate, Site], None]] = {
    "max_pool": plan_max_pool,
    "requant": plan_requant,
    "table": plan_table,
}
