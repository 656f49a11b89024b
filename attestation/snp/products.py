# SPDX-License-Identifier: AGPL-3.0-or-later
"""Product lines of EPYC processors with SEV-SNP: how they are recognised, and how their TCB versions are laid out.

Sources: AMD 56860 (SEV-SNP firmware ABI) 1.58, TCB_VERSION and ATTESTATION_REPORT; AMD 57230 (VCEK certificates).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from attestation.errors import UnsupportedError

_UNTIL_GENOA = ("bootloader", "tee", "spl4", "spl5", "spl6", "spl7", "snp", "microcode")
_TURIN = ("fmc", "bootloader", "tee", "snp", "spl5", "spl6", "spl7", "microcode")


@dataclass(frozen=True, slots=True)
class Product:
    """A line of chips under one AMD root.

    `components` are the octets of a TCB_VERSION, lowest first; `hwid_size` the octets of a chip id that count, the
    others being zero.
    """

    name: str
    components: tuple[str, ...]
    hwid_size: int


PRODUCTS: Mapping[str, Product] = MappingProxyType(
    {
        "Milan": Product("Milan", _UNTIL_GENOA, 64),
        "Genoa": Product("Genoa", _UNTIL_GENOA, 64),
        "Turin": Product("Turin", _TURIN, 8),
    }
)

_NAMES = {"Milan": "Milan", "Genoa": "Genoa", "Bergamo": "Genoa", "Siena": "Genoa", "Turin": "Turin"}
_CPUID = (
    (0x19, range(0x10), "Milan"),
    (0x19, range(0x10, 0x20), "Genoa"),
    (0x19, range(0xA0, 0xB0), "Genoa"),  # Bergamo and Siena
    (0x1A, range(0x20), "Turin"),
)


def from_cpuid(family: int, model: int) -> Product:
    """The line of a combined (base plus extended) family and model. Raises `UnsupportedError`."""
    for known, models, name in _CPUID:
        if family == known and model in models:
            return PRODUCTS[name]
    raise UnsupportedError(
        "evidence.snp.product-unknown",
        f"processor family 0x{family:02x} model 0x{model:02x}; known: {', '.join(PRODUCTS)}",
        remedy="use a newer release",
    )


def from_name(name: str) -> Product:
    """The line of a certificate's product name, such as `Milan-B0` or `Genoa`. Raises `UnsupportedError`."""
    line = _NAMES.get(name.partition("-")[0])
    if line is None:
        raise UnsupportedError(
            "evidence.snp.product-unknown",
            f"certificate for product {name[:32]!r}; known: {', '.join(_NAMES)}",
            remedy="use a newer release",
        )
    return PRODUCTS[line]
