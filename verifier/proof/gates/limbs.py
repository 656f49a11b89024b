# SPDX-License-Identifier: AGPL-3.0-or-later
"""Cutting a range into limbs that fit the tables."""

from __future__ import annotations


def limb_widths(bits: int, width: int) -> tuple[int, ...]:
    """Widths that add up to `bits`, each at most `width`, as even as possible, least significant first."""
    if bits == 0:
        return ()
    count = -(-bits // width)
    base, extra = divmod(bits, count)
    return (base + 1,) * extra + (base,) * (count - extra)


def limb_offsets(widths: tuple[int, ...]) -> tuple[int, ...]:
    """Bit position of each limb."""
    return tuple(sum(widths[:i]) for i in range(len(widths)))
