# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sigmoid: y = 1 / (1 + exp(-x)). In integers: one table over the input's grid."""

from __future__ import annotations

from decimal import Decimal

from circuits.ops.elementwise import Elementwise
from circuits.ops.operator import Call


class Sigmoid(Elementwise):
    """y = 1 / (1 + exp(-x))"""

    name = "Sigmoid"

    def scalar(self, call: Call, *args: Decimal) -> Decimal | None:
        small = (-abs(args[0])).exp()  # never overflows
        return (1 if args[0] >= 0 else small) / (1 + small)
