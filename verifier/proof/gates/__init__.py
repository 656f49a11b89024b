# SPDX-License-Identifier: AGPL-3.0-or-later
"""How each gate is argued: planners of non-linear gates, and the kinds whose claims `linear` pushes backwards.

A planner has the signature ``(plan, gate, site) -> None``.  It commits to the gate's output and to what else the
argument needs, adds lookups and constraints, and appends a recipe from which the prover fills the columns.
"""

from __future__ import annotations

from collections.abc import Callable

from circuits import Gate
from circuits.gates import Site
from verifier.proof.gates.arg_max import plan_arg_max
from verifier.proof.gates.matmul import plan_matmul
from verifier.proof.gates.max_pool import plan_max_pool
from verifier.proof.gates.mul import plan_mul
from verifier.proof.gates.requant import plan_requant
from verifier.proof.gates.softmax import plan_softmax
from verifier.proof.gates.table import plan_table
from verifier.proof.plan import Plan

__all__ = ["LINEAR", "PLANNERS"]

LINEAR = frozenset({"affine", "concat", "conv", "dense", "pad", "reduce_sum", "reshape", "transpose"})

PLANNERS: dict[str, Callable[[Plan, Gate, Site], None]] = {
    "arg_max": plan_arg_max,
    "matmul": plan_matmul,
    "max_pool": plan_max_pool,
    "mul": plan_mul,
    "requant": plan_requant,
    "softmax": plan_softmax,
    "table": plan_table,
}
