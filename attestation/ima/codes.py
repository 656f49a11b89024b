# SPDX-License-Identifier: AGPL-3.0-or-later
"""What each code of IMA lists means, one line each. Codes are never renamed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attestation import families

CODES: Mapping[str, str] = MappingProxyType(
    {
        **families.structure("evidence.ima.list", "the IMA list"),
        "evidence.ima.list-too-large": "the IMA list exceeds its size or number of entries",
        "evidence.ima.template-unsupported": "an IMA template that is not known",
        "evidence.ima.template-hash-mismatch": "an IMA entry does not hash to its own template hash",
    }
)
