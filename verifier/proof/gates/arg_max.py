# SPDX-License-Identifier: AGPL-3.0-or-later
"""arg_max: the selected position, y = sum_k k * b_k, where equals before (or after) it are excluded by d >= 1."""

from __future__ import annotations

import numpy as np

from circuits import Gate
from circuits.gates import Site
from verifier.proof.expression import Expression, Source, Term
from verifier.proof.gates.largest import plan_largest
from verifier.proof.plan import Constraint, Plan


def plan_arg_max(plan: Plan, gate: Gate, site: Site) -> None:
    """See the module."""
    label, shape = 1 + site.integer("axis"), plan.shape_of(gate.inputs[0])
    last, keep = bool(site.attributes["select_last_index"]), bool(site.attributes["keepdims"])
    plan.commit(gate.output)
    _, selector = plan_largest(plan, gate, site, label, strict=True, last=last)
    positions = np.arange(shape[label], dtype=np.int64)
    y = Term(Source("column", plan.column_of[gate.output]), missing=() if keep else (label,))
    index = Term(Source("column", selector), -1, summed=(label, positions))
    rows = (*shape[:label], 1, *shape[label + 1 :])
    plan.constraints.append(Constraint(f"{gate.name} position", rows, Expression((y, index))))
