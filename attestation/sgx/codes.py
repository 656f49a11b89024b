# SPDX-License-Identifier: AGPL-3.0-or-later
"""What each code of this format means, one line each. Codes are never renamed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attestation.intel.codes import codes

CODES: Mapping[str, str] = MappingProxyType(
    {
        **codes("evidence.sgx"),
        "evidence.sgx.attributes-unexpected": "an enclave that is not initialised, or has reserved bits or bytes set",
    }
)
