# SPDX-License-Identifier: AGPL-3.0-or-later
"""What each code of this format means, one line each; the parts' codes are theirs. Codes are never renamed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attestation import families

_MEMBERS = families.members("evidence.azure-snp")
"""Less the challenge's, which is the quote's and so of tpm2-quote@v1."""

CODES: Mapping[str, str] = MappingProxyType(
    {
        **{code: text for code, text in _MEMBERS.items() if not code.endswith(".challenge-not-given")},
        **families.raw("evidence.azure-snp", "Azure SEV-SNP evidence"),
        "evidence.azure-snp.other-platform": "an HCL report of another platform than SEV-SNP",
        "evidence.azure-snp.not-paravisor": "the report was asked for outside of the paravisor's privilege level",
    }
)
