# SPDX-License-Identifier: AGPL-3.0-or-later
"""mul: y = a * b.  y is committed; one product sumcheck.  Below 2^53 the product cannot wrap around."""

from __future__ import annotations

from circuits import Gate
from circuits.gates import Site
from verifier.proof.expression import Expression, Source, Term
from verifier.proof.plan import Plan, Product, column


def plan_mul(plan: Plan, gate: Gate, site: Site) -> None:
    """See the module."""
    shape = plan.shape_of(gate.output)
    plan.commit(gate.output)
    left, right = (
        Expression((Term(Source("tensor", i), missing=tuple(range(1, len(shape) - len(x.shape)))),))
        for i, x in zip(gate.inputs, site.inputs, strict=True)
    )
    plan.products.append(Product(gate.name, shape, left, right, column(plan.column_of[gate.output])))
