# SPDX-License-Identifier: AGPL-3.0-or-later
"""Transpose: axes in another order; the batch stays first. In integers: a transpose gate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from circuits.errors import MalformedError
from circuits.ops.batch import Dims
from circuits.ops.forms import Form, Layout, Shape
from circuits.ops.operator import Array, Call, Operator


class Transpose(Operator):
    """Axes permuted."""

    name = "Transpose"
    attributes = frozenset({"perm"})

    def shapes(self, call: Call) -> tuple[Dims, ...]:
        return (tuple(call.dims(0)[p] for p in self._perm(call)),)

    def form(self, call: Call) -> Form:
        perm = self._perm(call)
        if perm[0] != 0:
            raise call.refuse(f"perm {list(perm)} moves the batch axis")
        return Layout("transpose", (call.name(0),), {"perm": tuple(p - 1 for p in perm[1:])})

    def fold(self, call: Call, values: Sequence[Array]) -> tuple[Array, ...] | None:
        return (np.transpose(values[0], self._perm(call)),)

    def _perm(self, call: Call) -> Shape:
        rank = len(call.dims(0))
        perm = call.integers("perm", range(rank - 1, -1, -1))
        if sorted(perm) != list(range(rank)):
            raise MalformedError("compile.onnx.malformed", f"{call.where}: perm {list(perm)} of a rank-{rank} tensor")
        return perm
