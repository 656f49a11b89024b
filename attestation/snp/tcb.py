# SPDX-License-Identifier: AGPL-3.0-or-later
"""TCB versions: security patch levels of a chip's firmware parts, 8 octets whose meaning depends on the product.

    a <= b   means   every part of a <= the same part of b          (a partial order)

A number over all octets would put the microcode above everything else, so there is none here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from attestation.snp.products import Product


@dataclass(frozen=True, slots=True)
class Tcb:
    """A TCB_VERSION: `octets` as in the report, `product` says what each of the 8 is."""

    octets: bytes
    product: Product

    def parts(self) -> dict[str, int]:
        """Patch level by component, reserved ones that are zero left out."""
        named = zip(self.product.components, self.octets, strict=True)
        return {name: level for name, level in named if level or not name.startswith("spl")}

    def within(self, other: Tcb) -> bool:
        """True when no part is above the same part of `other`."""
        return all(mine <= theirs for mine, theirs in zip(self.octets, other.octets, strict=True))

    def below(self, minimum: Mapping[str, int]) -> list[str]:
        """The components that are under their minimum, and how far."""
        levels = dict(zip(self.product.components, self.octets, strict=True))
        return [f"{name} {levels[name]} < {least}" for name, least in minimum.items() if levels[name] < least]

    def __str__(self) -> str:
        """For instance `bootloader 4, tee 0, snp 24, microcode 219`."""
        return ", ".join(f"{name} {level}" for name, level in self.parts().items())
