# SPDX-License-Identifier: AGPL-3.0-or-later
"""ArgMax along an axis other than the batch; the first of equal maxima wins unless select_last_index.

In integers: the same, on the unrounded accumulators where the input is a linear map.
"""

from __future__ import annotations

from circuits.ops import forms
from circuits.ops.batch import Dims
from circuits.ops.forms import Form
from circuits.ops.operator import Call, Operator


class ArgMax(Operator):
    """index of the largest value"""

    name = "ArgMax"
    attributes = frozenset({"axis", "keepdims", "select_last_index"})

    def shapes(self, call: Call) -> tuple[Dims, ...]:
        dims, axis = call.dims(0), call.axis(int(call.attribute("axis", 0)))
        kept: Dims = (1,) if call.attribute("keepdims", 1) else ()
        return ((*dims[:axis], *kept, *dims[axis + 1 :]),)

    def form(self, call: Call) -> Form:
        axis = call.axis(int(call.attribute("axis", 0)))
        return forms.ArgMax(
            call.name(0),
            axis - 1,
            bool(call.attribute("keepdims", 1)),
            bool(call.attribute("select_last_index", 0)),
        )
