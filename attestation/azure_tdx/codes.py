# SPDX-License-Identifier: AGPL-3.0-or-later
"""What each code of this format means, one line each; the parts' codes are theirs. Codes are never renamed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attestation import families

CODES: Mapping[str, str] = MappingProxyType(
    {
        **families.members("evidence.azure-tdx"),
        **families.raw("evidence.azure-tdx", "evidence of an Azure TDX VM"),
        "evidence.azure-tdx.td-quote-missing": "an HCL report without its TD quote, in the file or beside it",
        "evidence.azure-tdx.td-report-mismatch": "the HCL report holds a TDREPORT that the quote does not repeat",
    }
)
