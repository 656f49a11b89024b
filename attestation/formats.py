# SPDX-License-Identifier: AGPL-3.0-or-later
"""The evidence formats there are, by type. Adding one: docs/adding-evidence.md."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attestation import azure_snp, nitro, simulated, snp, tpm2
from attestation.contract import Format
from attestation.errors import UnsupportedError

FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        format_.type: format_
        for format_ in (
            azure_snp.FORMAT,
            nitro.FORMAT,
            simulated.FORMAT,
            snp.FORMAT,
            tpm2.FORMAT,
        )
    }
)


def find_format(type_: str) -> Format:
    """The format of that name. Raises `UnsupportedError` with `evidence.type-unknown`."""
    try:
        return FORMATS[type_]
    except KeyError:
        raise UnsupportedError(
            "evidence.type-unknown",
            f"evidence of type {type_[:64]!r}; known: {', '.join(FORMATS)}",
            remedy="use a newer release, or other evidence",
        ) from None
