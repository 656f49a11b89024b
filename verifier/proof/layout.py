# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where things lie: boxes of padded axes inside one long vector, so that a point of the vector splits by axis.

Each axis of size d gets ceil(log2 d) bits; a block is 2^(sum of bits) long; blocks are placed largest first, so every
one starts at a multiple of its length.  Of a point of the whole vector, the high coordinates select the block and the
rest splits into one piece per axis.  Entries beyond an axis's size have weight zero in every claim.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from verifier.proof.expression import Shape
from verifier.proof.field import Element, eq_bits


def bits_of(size: int) -> int:
    """ceil(log2 size)"""
    return (size - 1).bit_length()


@dataclass(frozen=True)
class Block:
    """A box [batch, *shape] at `offset` of the vector."""

    shape: Shape
    offset: int

    @property
    def axis_bits(self) -> tuple[int, ...]:
        """Bits per axis."""
        return tuple(bits_of(d) for d in self.shape)

    @property
    def bits(self) -> int:
        """Bits of the whole block."""
        return sum(self.axis_bits)

    @property
    def padded(self) -> Shape:
        """Sizes with padding."""
        return tuple(1 << b for b in self.axis_bits)

    def split(self, point: Sequence[Element]) -> tuple[Element, tuple[tuple[Element, ...], ...]]:
        """Weight of the block at a point of the whole vector, and the pieces of the point, one per axis."""
        high = len(point) - self.bits
        pieces, at = [], high
        for bits in self.axis_bits:
            pieces.append(tuple(point[at : at + bits]))
            at += bits
        return eq_bits(point[:high], self.offset >> self.bits), tuple(pieces)


def place(shapes: Sequence[Shape]) -> tuple[tuple[Block, ...], int]:
    """Blocks for these shapes, in the same order, and the length that they use together."""
    sizes = [sum(bits_of(d) for d in shape) for shape in shapes]
    offsets, used = [0] * len(shapes), 0
    for i in sorted(range(len(shapes)), key=lambda i: (-sizes[i], i)):
        offsets[i], used = used, used + (1 << sizes[i])
    return tuple(Block(shape, offset) for shape, offset in zip(shapes, offsets, strict=True)), used
