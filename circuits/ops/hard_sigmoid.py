# SPDX-License-Identifier: AGPL-3.0-or-later
"""HardSigmoid: y = min(max(alpha * x + beta, 0), 1).

In integers: alpha and beta join the linear map before it and the limits its clamp, so it is free; inside a larger
scalar function, part of that function's table.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from circuits.ops.elementwise import Elementwise
from circuits.ops.forms import Form, Linear, Scaled
from circuits.ops.operator import Call


class HardSigmoid(Elementwise):
    """min(max(alpha * x + beta, 0), 1)"""

    name = "HardSigmoid"
    attributes = frozenset({"alpha", "beta"})

    def scalar(self, call: Call, *args: Decimal) -> Decimal | None:
        alpha, beta = self._coefficients(call)
        return min(max(Decimal(alpha) * args[0] + Decimal(beta), Decimal(0)), Decimal(1))

    def form(self, call: Call) -> Form:
        alpha, beta = self._coefficients(call)
        return Linear((Scaled(call.name(0), np.array(alpha)),), np.array(beta), (0.0, 1.0))

    def linear(self, call: Call) -> bool:
        return True

    def _coefficients(self, call: Call) -> tuple[float, float]:
        return float(call.attribute("alpha", 0.2)), float(call.attribute("beta", 0.5))
