# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reshape to a shape known at compile time (the batch may be in it as a symbol, -1, 0 or the model's fixed size)."""

from __future__ import annotations

import math

from circuits.errors import MalformedError
from circuits.ops.batch import BATCH, Batch, Dim, Dims, show
from circuits.ops.layout import Reshaping
from circuits.ops.operator import Call


class Reshape(Reshaping):
    """The same elements under another shape."""

    name = "Reshape"
    attributes = frozenset({"allowzero"})

    def shapes(self, call: Call) -> tuple[Dims, ...]:
        source, target = call.dims(0), tuple(call.constant(1).reshape(-1).tolist())
        if any(not isinstance(d, int | Batch) for d in target):
            raise MalformedError("compile.onnx.malformed", f"{call.where}: the shape is not made of integers")
        if call.attribute("allowzero", 0) and 0 in target:
            raise call.refuse("a shape with a zero in it")
        copied: tuple[Dim, ...] = tuple(source[i] if d == 0 and i < len(source) else d for i, d in enumerate(target))
        if call.is_constant(0):
            return (_filled(call, source, copied),)
        return ((BATCH, *_filled(call, call.sample(0), _without_batch(call, copied, math.prod(call.sample(0))))),)


def _without_batch(call: Call, target: Dims, elements: int) -> Dims:
    """The per-sample part of a target shape, once axis 0 is known to be the batch."""
    head, rest = (target[0], target[1:]) if target else (None, ())
    known = math.prod(d for d in rest if isinstance(d, int) and d != -1)
    fits = (-1 in rest and known > 0 and elements % known == 0) or known == elements
    if head == BATCH or (fits and ((head == -1 and -1 not in rest) or head in (1, call.fixed_batch))):
        return rest
    raise call.refuse(f"reshapes {show(call.dims(0))} to {show(target)}: axis 0 must stay the batch")


def _filled(call: Call, source: Dims, target: Dims) -> Dims:
    """`target` with its one -1 replaced; element counts must agree."""
    total = math.prod(d for d in source if isinstance(d, int))
    known = math.prod(d for d in target if isinstance(d, int) and d != -1)
    if any(isinstance(d, Batch) for d in (*source, *target)) or target.count(-1) > 1:
        raise call.refuse(f"reshapes {show(call.dims(0))} to {show(target)}: axis 0 must stay the batch")
    if -1 in target:
        if known <= 0 or total % known:
            raise MalformedError("compile.onnx.malformed", f"{call.where}: {show(source)} does not fit {show(target)}")
        target = tuple(total // known if d == -1 else d for d in target)
    elif known != total or any(isinstance(d, int) and d < 0 for d in target):
        raise MalformedError("compile.onnx.malformed", f"{call.where}: {show(source)} does not fit {show(target)}")
    return target
