# SPDX-License-Identifier: AGPL-3.0-or-later
"""Flatten from axis 1: one row per sample. In integers: a reshape gate."""

from __future__ import annotations

import math

from circuits.ops.batch import BATCH, Dims
from circuits.ops.layout import Reshaping
from circuits.ops.operator import Call


class Flatten(Reshaping):
    """The same elements as one row."""

    name = "Flatten"
    attributes = frozenset({"axis"})

    def shapes(self, call: Call) -> tuple[Dims, ...]:
        axis = int(call.attribute("axis", 1))
        shape = call.sample(0)
        if axis % max(len(shape) + 1, 1) != 1 and not (axis == 1 and not shape):
            raise call.refuse(f"axis {axis}", "Only axis 1 keeps the samples apart.")
        return ((BATCH, math.prod(shape)),)
