# SPDX-License-Identifier: AGPL-3.0-or-later
"""Squeeze: drop axes of size 1. In integers: a reshape gate."""

from __future__ import annotations

from circuits.ops.batch import Dims
from circuits.ops.layout import Reshaping, axes_of
from circuits.ops.operator import Call


class Squeeze(Reshaping):
    """The same elements without some axes."""

    name = "Squeeze"
    attributes = frozenset({"axes"})

    def shapes(self, call: Call) -> tuple[Dims, ...]:
        dims = call.dims(0)
        axes = axes_of(call, len(dims))
        if axes is None:
            axes = tuple(i for i, d in enumerate(dims) if d == 1)
        if any(dims[a] != 1 for a in axes):
            raise call.refuse(f"squeezes an axis of size {[str(dims[a]) for a in axes]}")
        return (tuple(d for i, d in enumerate(dims) if i not in axes),)
