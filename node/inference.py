# SPDX-License-Identifier: AGPL-3.0-or-later
"""One inference on its way through the stages: a frozen value that gains one product per stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, TypeVar

from node.errors import OperationalError
from node.request import Request

Product = TypeVar("Product")


@dataclass(frozen=True)
class Inference:
    """What is known so far.

    Attributes:
        request: what was asked.
        received_at: when it came in, by the node's clock, with a time zone.
        products: what each stage made, by type; read with ``inference[Type]``.
        durations: microseconds per stage so far, by stage name.
    """

    request: Request
    received_at: datetime
    products: Mapping[type[Any], Any] = field(default_factory=lambda: MappingProxyType({}))
    durations: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    def __getitem__(self, kind: type[Product]) -> Product:
        """The product of an earlier stage.

        Raises:
            OperationalError: ``node.pipeline.order`` when no stage before this one made it.
        """
        product = self.products.get(kind)
        if not isinstance(product, kind):
            raise OperationalError("node.pipeline.order", f"no stage has made {kind.__name__} yet")
        return product

    def after(self, stage: str, product: object, microseconds: int) -> Inference:
        """The same inference with one more product."""
        return replace(
            self,
            products=MappingProxyType({**self.products, type(product): product}),
            durations=MappingProxyType({**self.durations, stage: microseconds}),
        )
