# SPDX-License-Identifier: AGPL-3.0-or-later
"""Dropout: the identity at inference. Training mode is refused. In integers: nothing at all."""

from __future__ import annotations

from collections.abc import Sequence

from circuits.ops.batch import Dims
from circuits.ops.operator import Array, Call, Operator


class Dropout(Operator):
    """x"""

    name = "Dropout"
    attributes = frozenset({"ratio", "seed"})

    def shapes(self, call: Call) -> tuple[Dims, ...]:
        return (call.dims(0),) * len(call.node.outputs)

    def alias(self, call: Call) -> bool:
        if call.has(2) and bool(call.scalar(2)):
            raise call.refuse("training mode", "Export the model for inference (eval mode).")
        return True

    def fold(self, call: Call, values: Sequence[Array]) -> tuple[Array, ...] | None:
        return (values[0],) * len(call.node.outputs)
