# SPDX-License-Identifier: AGPL-3.0-or-later
"""matmul: y = a @ b.  y is committed; one product sumcheck over the leading axes and the inner one."""

from __future__ import annotations

from circuits import Gate
from circuits.gates import Site
from verifier.proof.plan import Plan, Product, column, tensor


def plan_matmul(plan: Plan, gate: Gate, site: Site) -> None:
    """See the module."""
    a, b = (x.shape for x in site.inputs)
    plan.commit(gate.output)
    common = plan.shape_of(gate.output)[:-2]
    left, right = (tensor(i) for i in gate.inputs)
    matrix = (a[-2], a[-1], b[-1])
    plan.products.append(Product(gate.name, common, left, right, column(plan.column_of[gate.output]), matrix))
