# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where things lie: boxes of axes inside one long vector, so that a point of the vector splits by axis.

::

    index = offset + (i_free * 2^b_1 + i_1) * 2^b_2 + i_2 ...        b_a = ceil(log2 size_a)

One axis of a block, the *free* one, lies outermost and is not padded; every other takes ceil(log2 size) bits.  Blocks
are placed one behind the other, those with the largest inner part first, so that each starts at a multiple of its inner
part.  Of a point of the whole vector, the low coordinates split into one piece per inner axis, and the high ones say
eq(high, start + i) for entry i of the free axis: a run of an eq vector, wherever it starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from verifier.proof.expression import Shape
from verifier.proof.field import Element


def bits_of(size: int) -> int:
    """ceil(log2 size)"""
    return (size - 1).bit_length()


@dataclass(frozen=True)
class Block:
    """A box [batch, *shape] at `offset` of the vector."""

    shape: Shape
    offset: int

    @cached_property
    def free(self) -> int:
        """The axis that is not padded: the one on which padding would waste most, the first of equals."""
        wasted = [Fraction(1 << bits_of(d), d) for d in self.shape]
        return wasted.index(max(wasted))

    @cached_property
    def order(self) -> tuple[int, ...]:
        """Axes from the outermost to the innermost."""
        return (self.free, *(a for a in range(len(self.shape)) if a != self.free))

    @cached_property
    def inner_bits(self) -> int:
        """Bits of all axes but the free one."""
        return sum(bits_of(self.shape[a]) for a in self.order[1:])

    @property
    def length(self) -> int:
        """Entries, with padding."""
        return self.shape[self.free] << self.inner_bits

    @property
    def end(self) -> int:
        """Offset behind the last entry."""
        return self.offset + self.length

    @property
    def start(self) -> int:
        """The free axis begins at this multiple of the inner part."""
        return self.offset >> self.inner_bits

    @cached_property
    def padded(self) -> Shape:
        """Sizes with padding, in `order`."""
        return (self.shape[self.free], *(1 << bits_of(self.shape[a]) for a in self.order[1:]))

    def split(self, point: Sequence[Element]) -> tuple[tuple[Element, ...], ...]:
        """The pieces of a point of the whole vector, by axis; that of the free axis has all high coordinates."""
        pieces: list[tuple[Element, ...]] = [()] * len(self.shape)
        at = len(point) - self.inner_bits
        pieces[self.free] = tuple(point[:at])
        for axis in self.order[1:]:
            bits = bits_of(self.shape[axis])
            pieces[axis] = tuple(point[at : at + bits])
            at += bits
        return tuple(pieces)


def place(shapes: Sequence[Shape]) -> tuple[tuple[Block, ...], int]:
    """Blocks for these shapes, in the same order, and the length that they use together."""
    blocks, used = [Block(shape, 0) for shape in shapes], 0
    for i in sorted(range(len(shapes)), key=lambda i: (-blocks[i].inner_bits, i)):
        blocks[i] = Block(shapes[i], used)
        used = blocks[i].end
    return tuple(blocks), used
