# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a policy says to trust, per evidence format: one file each that reads the table ``[evidence.<name>]``.

A reader takes the table's :class:`~verifier.fields.Fields` and returns the format's trust object. A format whose table
is absent gets ``trust_class()``: its vendor's pinned roots with the strictest settings, or nothing at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from verifier.fields import Fields
from verifier.trust import azure_snp, nitro, snp, tpm2

READERS: Mapping[str, Callable[[Fields], Any]] = MappingProxyType(
    {
        "azure-snp": azure_snp.read,
        "nitro": nitro.read,
        "snp": snp.read,
        "tpm2": tpm2.read,
    }
)
"""Format name, as in ``Format.name``, to the reader of its table."""

__all__ = ["READERS"]
