# SPDX-License-Identifier: AGPL-3.0-or-later
"""LeakyRelu: y = x for x >= 0, alpha * x below. In integers: one table over the input's grid."""

from __future__ import annotations

from decimal import Decimal

from circuits.ops.elementwise import Elementwise
from circuits.ops.operator import Call


class LeakyRelu(Elementwise):
    """y = x for x >= 0, alpha * x below"""

    name = "LeakyRelu"
    attributes = frozenset({"alpha"})

    def scalar(self, call: Call, *args: Decimal) -> Decimal | None:
        x = args[0]
        return x if x >= 0 else x * Decimal(call.attribute("alpha", 0.01))
