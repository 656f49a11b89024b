# SPDX-License-Identifier: AGPL-3.0-or-later
"""The batch size as a symbol, so that shape-computing subgraphs can be evaluated before it is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Batch:
    """``multiple`` times the unknown batch size."""

    multiple: int = 1

    def __mul__(self, other: object) -> Batch:
        if isinstance(other, Batch):
            raise TypeError("the square of the batch size has no meaning here")
        return Batch(self.multiple * int(other))  # type: ignore[call-overload]

    __rmul__ = __mul__

    def __str__(self) -> str:
        return "batch" if self.multiple == 1 else f"{self.multiple}*batch"


BATCH = Batch()

Dim: TypeAlias = int | Batch
Dims: TypeAlias = tuple[Dim, ...]
"""A full shape. Of a tensor that depends on the inputs: ``(BATCH, *per-sample shape)``."""


def show(dims: Dims) -> str:
    """``[batch, 3, 48, 192]``"""
    return "[" + ", ".join(str(d) for d in dims) + "]"
