# SPDX-License-Identifier: AGPL-3.0-or-later
"""HardSwish: y = x * min(max(x / 6 + 1/2, 0), 1). In integers: one table over the input's grid."""

from __future__ import annotations

from decimal import Decimal

from circuits.ops.elementwise import Elementwise
from circuits.ops.operator import Call


class HardSwish(Elementwise):
    """y = x * min(max(x / 6 + 1/2, 0), 1)"""

    name = "HardSwish"
    since = 14

    def scalar(self, call: Call, *args: Decimal) -> Decimal | None:
        x = args[0]
        return x * min(max(x + 3, Decimal(0)), Decimal(6)) / 6
