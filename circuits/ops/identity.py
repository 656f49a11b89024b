# SPDX-License-Identifier: AGPL-3.0-or-later
"""Identity: y = x. In integers: nothing at all."""

from __future__ import annotations

from collections.abc import Sequence

from circuits.ops.batch import Dims
from circuits.ops.operator import Array, Call, Operator


class Identity(Operator):
    """x"""

    name = "Identity"

    def shapes(self, call: Call) -> tuple[Dims, ...]:
        return (call.dims(0),)

    def alias(self, call: Call) -> bool:
        return True

    def fold(self, call: Call, values: Sequence[Array]) -> tuple[Array, ...] | None:
        return (values[0],)
