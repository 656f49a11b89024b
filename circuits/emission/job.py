# SPDX-License-Identifier: AGPL-3.0-or-later
"""One gate being emitted: its site, where its inputs are, and exact conversions of representation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from circuits.circuit import Tensor
from circuits.emission.value import Exponent, Value
from circuits.emission.writer import Writer
from circuits.gates import Site
from circuits.limits import MAX_UNITS, NARROW


@dataclass(frozen=True, slots=True)
class Job:
    """What a rule's `emit` works with.

    `wanted` are the units in which the output is best delivered; a rule may ignore them. `sole[i]` says that
    this gate is the only reader of input i.
    """

    site: Site
    output: Tensor
    inputs: Sequence[Value]
    wanted: Exponent
    sole: Sequence[bool]
    writer: Writer

    def value(self, name: str, wide: bool, exponent: Exponent, reach: int, floor: bool = False) -> Value:
        """The result, in canonical units."""
        return Value(
            name,
            wide,
            exponent if len(set(exponent)) > 1 else exponent[:1],
            len(self.output.shape),
            reach,
            floor,
        )

    def operand(self, index: int, *, floor_may_wait: bool = False) -> Value:
        """Input `index`, floored, and in float32 if its bounds allow."""
        value, tensor = self.inputs[index], self.site.inputs[index]
        if value.floor and not (floor_may_wait and self.sole[index]):
            value = replace(value, name=self.writer.shared("Floor", [value.name]), floor=False, reach=tensor.magnitude)
        if value.wide and not value.floor and tensor.magnitude < NARROW:
            value = replace(self.narrow(value), reach=tensor.magnitude)
        return value

    def wide(self, value: Value) -> Value:
        """In float64."""
        return value if value.wide else replace(value, name=self.writer.cast(value.name, True), wide=True)

    def narrow(self, value: Value) -> Value:
        """In float32: exact where the integers are below 2^24 or only ever multiplied by zero."""
        return replace(value, name=self.writer.cast(value.name, False), wide=False) if value.wide else value

    def in_units(self, value: Value, exponent: Exponent) -> Value:
        """In units of 2^-exponent: multiplied by a power of two unless it is already."""
        if value.exponent == exponent:
            return value
        factor = self.unit(exponent, value.rank) / self.unit(value.exponent, value.rank)
        name = self.writer.node("Mul", [value.name, self.writer.number(factor, value.wide)])
        return replace(value, name=name, exponent=exponent)

    def uniform(self, value: Value) -> Value:
        """In the same units for all channels."""
        return value if len(value.exponent) == 1 else self.in_units(value, (0,))

    def factors(self, a: Value, b: Value) -> tuple[Value, Value]:
        """Both in uniform units whose product is no extreme one: products of products would leave the floats."""
        a, b = self.uniform(a), self.uniform(b)
        if abs(a.exponent[0] + b.exponent[0]) > MAX_UNITS:
            a, b = self.in_units(a, (0,)), self.in_units(b, (0,))
        return a, b

    def barrier(self, value: Value, index: int) -> Value:
        """Keep the runtime from folding what follows into what came before.

        A clip to the tensor's own bounds changes nothing, but no optimiser can know that.
        """
        tensor = self.site.inputs[index]
        if value.reach <= tensor.magnitude:
            return value
        value = self.uniform(value)
        scale = 2.0 ** -value.exponent[0]
        name = self.writer.clip(value.name, tensor.lo * scale, tensor.hi * scale, value.wide)
        return replace(value, name=name, reach=tensor.magnitude)

    def clipped(self, value: Value, low: int | None, high: int | None) -> Value:
        """Clipped to these limits in the value's own units."""
        return replace(value, name=self.writer.clip(value.name, low, high, value.wide))

    def channels_of(self, value: Value, begin: int, end: int) -> Value:
        """Channels begin to end (exclusive) of per-sample axis 0; units must be uniform."""
        ends = [self.writer.constant(np.array([v], dtype=np.int64)) for v in (begin, end, 1)]
        return replace(value, name=self.writer.shared("Slice", [value.name, *ends]))

    def limb_of(self, value: Value, bits: int, limb: int) -> Value:
        """float32 limb of plain integers: bits [bits*limb, bits*(limb+1)), the top limb keeps the sign."""
        width = self.site.inputs[0].magnitude.bit_length()
        writer = self.writer
        name = self._shifted(value, bits * limb)
        if bits * (limb + 1) < width:
            above = self._shifted(value, bits * (limb + 1))
            base = writer.number(np.float64(1 << bits), value.wide)
            name = writer.shared("Sub", [name, writer.shared("Mul", [above, base])])
        return self.narrow(replace(value, name=name))

    def _shifted(self, value: Value, bits: int) -> str:
        factor = self.writer.number(np.ldexp(1.0, -bits), value.wide)
        return self.writer.shared("Floor", [self.writer.shared("Mul", [value.name, factor])])

    def aligned(self, value: Value, index: int) -> str:
        """Input `index` with ones between batch and shape, so that it broadcasts by per-sample axes."""
        shape, missing = (
            self.site.inputs[index].shape,
            len(self.output.shape) - len(self.site.inputs[index].shape),
        )
        if missing == 0:
            return value.name
        target = np.array([0, *([1] * missing), *shape], dtype=np.int64)
        return self.writer.node("Reshape", [value.name, self.writer.constant(target)])

    @staticmethod
    def unit(exponent: Exponent, rank: int) -> npt.NDArray[np.float64]:
        """2^-exponent, shaped to multiply per-sample shapes of that rank."""
        powers = np.ldexp(1.0, -np.array(exponent, dtype=np.int64))
        return powers.reshape(()) if len(exponent) == 1 else powers.reshape(-1, *([1] * (rank - 1)))
