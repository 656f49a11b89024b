# SPDX-License-Identifier: AGPL-3.0-or-later
"""GlobalAveragePool: the mean over all spatial axes.

In integers: reduce_sum and one shift; the grid of the result is chosen so that dividing by the count is part of it.
"""

from __future__ import annotations

import math

import numpy as np

from circuits.ops.batch import BATCH, Dims
from circuits.ops.forms import Form, Linear, Summed
from circuits.ops.operator import Call, Operator


class GlobalAveragePool(Operator):
    """mean over the spatial axes"""

    name = "GlobalAveragePool"

    def shapes(self, call: Call) -> tuple[Dims, ...]:
        shape = call.sample(0)
        if len(shape) < 2:
            raise call.refuse("the input has no spatial axes")
        return ((BATCH, shape[0], *(1,) * (len(shape) - 1)),)

    def form(self, call: Call) -> Form:
        shape = call.sample(0)
        factor = np.array(1.0 / math.prod(shape[1:]))
        return Linear((Summed(call.name(0), tuple(range(1, len(shape))), True, factor),))
