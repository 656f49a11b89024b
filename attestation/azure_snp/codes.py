# SPDX-License-Identifier: AGPL-3.0-or-later
"""What each code of this format means, one line each; the parts' codes are theirs. Codes are never renamed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attestation import families

CODES: Mapping[str, str] = MappingProxyType(
    {
        **families.members("evidence.azure-snp"),
        **families.raw("evidence.azure-snp", "Azure SEV-SNP evidence"),
        "evidence.azure-snp.other-platform": "an HCL report of another platform than SEV-SNP",
        "evidence.azure-snp.not-paravisor": "the report was asked for outside of the paravisor's privilege level",
    }
)
