# SPDX-License-Identifier: AGPL-3.0-or-later
"""Softmax: probabilities along one axis, from logits on a fine grid.

In integers: d = max - x, a table of round(2^15 * exp(-scale * d)), and one exact floor division by the sum, so the
result is a probability in units of 2^-15.
"""

from __future__ import annotations

from circuits.ops import forms
from circuits.ops.batch import Dims
from circuits.ops.forms import Form
from circuits.ops.operator import Call, Operator


class Softmax(Operator):
    """exp(x) / sum exp(x)"""

    name = "Softmax"
    attributes = frozenset({"axis"})

    def shapes(self, call: Call) -> tuple[Dims, ...]:
        call.axis(self._axis(call))
        return (call.dims(0),)

    def form(self, call: Call) -> Form:
        axis, rank = call.axis(self._axis(call)), len(call.dims(0))
        # Before opset 13 all axes from `axis` on were normalised together.
        together = rank - axis if call.opset < 13 else 1
        return forms.Softmax(call.name(0), axis - 1, together if together > 1 else 0)

    def _axis(self, call: Call) -> int:
        return int(call.attribute("axis", 1 if call.opset < 13 else -1))
