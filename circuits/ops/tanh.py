# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tanh: y = tanh(x). In integers: one table over the input's grid."""

from __future__ import annotations

from decimal import Decimal

from circuits.ops.elementwise import Elementwise
from circuits.ops.operator import Call


class Tanh(Elementwise):
    """y = tanh(x)"""

    name = "Tanh"

    def scalar(self, call: Call, *args: Decimal) -> Decimal | None:
        small = (-2 * abs(args[0])).exp()  # never overflows
        y = (1 - small) / (1 + small)
        return y if args[0] >= 0 else -y
