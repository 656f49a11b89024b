# SPDX-License-Identifier: AGPL-3.0-or-later
"""HardSigmoid: y = min(max(alpha * x + beta, 0), 1). In integers: one table over the input's grid."""

from __future__ import annotations

from decimal import Decimal

from circuits.ops.elementwise import Elementwise
from circuits.ops.operator import Call


class HardSigmoid(Elementwise):
    """y = min(max(alpha * x + beta, 0), 1)"""

    name = "HardSigmoid"
    attributes = frozenset({"alpha", "beta"})

    def scalar(self, call: Call, *args: Decimal) -> Decimal | None:
        alpha, beta = Decimal(call.attribute("alpha", 0.2)), Decimal(call.attribute("beta", 0.5))
        return min(max(alpha * args[0] + beta, Decimal(0)), Decimal(1))
