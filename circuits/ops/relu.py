# SPDX-License-Identifier: AGPL-3.0-or-later
"""Relu: y = max(x, 0). In integers: the lower clamp of the requantisation before it; free."""

from __future__ import annotations

from decimal import Decimal

from circuits.ops.elementwise import Elementwise
from circuits.ops.forms import Interval
from circuits.ops.operator import Call


class Relu(Elementwise):
    """max(x, 0)"""

    name = "Relu"

    def scalar(self, call: Call, *args: Decimal) -> Decimal | None:
        return max(args[0], Decimal(0))

    def window(self, call: Call) -> Interval | None:
        return (0.0, float("inf"))
