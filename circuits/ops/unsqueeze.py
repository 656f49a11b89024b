# SPDX-License-Identifier: AGPL-3.0-or-later
"""Unsqueeze: insert axes of size 1. In integers: a reshape gate."""

from __future__ import annotations

from circuits.ops.batch import Dim, Dims
from circuits.ops.layout import Reshaping, axes_of
from circuits.ops.operator import Call


class Unsqueeze(Reshaping):
    """The same elements with more axes."""

    name = "Unsqueeze"
    attributes = frozenset({"axes"})

    def shapes(self, call: Call) -> tuple[Dims, ...]:
        dims = call.dims(0)
        count = call.constant(1).size if call.has(1) else len(call.integers("axes", ()))
        rank = len(dims) + count
        axes = axes_of(call, rank)
        if axes is None:
            raise call.refuse("has no axes")
        rest = iter(dims)
        out: list[Dim] = [1 if i in axes else next(rest) for i in range(rank)]
        return (tuple(out),)
