# SPDX-License-Identifier: AGPL-3.0-or-later
"""What each code of Azure's composite evidence means, one line each. Codes are never renamed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attestation import families

CODES: Mapping[str, str] = MappingProxyType(
    {
        **families.structure("evidence.azure.hcl", "the HCL report"),
        "evidence.azure.hcl-unsupported": "an HCL report of a version, platform or hash that is not known",
        "evidence.azure.runtime-malformed": "the runtime data are not JSON with exactly one attestation key",
        "evidence.azure.runtime-data-mismatch": "the hardware report does not bind these runtime data",
        "evidence.azure.quote-missing": "there is no quote of the vTPM",
        "evidence.azure.quote-incomplete": "of a vTPM quote one part is there and another is not",
    }
)
