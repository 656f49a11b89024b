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
from verifier.trust import azure_snp, azure_tdx, cmw, intel, nitro, nvidia, snp, tpm2

READERS: Mapping[str, Callable[[Fields], Any]] = MappingProxyType(
    {
        "azure-snp": azure_snp.read,
        "azure-tdx": azure_tdx.read,
        "cmw": cmw.read,
        "nitro": nitro.read,
        "nvidia": nvidia.read,
        "nvswitch": nvidia.read,
        "sgx": intel.read_sgx,
        "snp": snp.read,
        "tdx": intel.read_tdx,
        "tpm2": tpm2.read,
    }
)
"""Format name, as in ``Format.name``, to the reader of its table."""

__all__ = ["READERS"]
