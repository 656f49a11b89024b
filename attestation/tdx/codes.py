# SPDX-License-Identifier: AGPL-3.0-or-later
"""What each code of this format means, one line each. Codes are never renamed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attestation import families
from attestation.intel.codes import codes

CODES: Mapping[str, str] = MappingProxyType(
    {
        **codes("evidence.tdx"),
        **families.envelope("evidence.tdx", "TDX evidence"),
        "evidence.tdx.tdx-module-mismatch": "the TDX module is not one that Intel signs for",
        "evidence.tdx.attributes-unexpected": "TD attributes that are reserved, or let others profile or move the TD",
        "evidence.tdx.sept-ve-disable-absent": "the TD takes a #VE on pages that the host took away",
        "evidence.tdx.service-td-bound": "a service TD that the policy does not list is bound to the TD",
        "evidence.tdx.event-log-missing": "there is no event log",
        "evidence.tdx.event-log-bank-absent": "the event log has no SHA-384 digests",
        "evidence.tdx.event-log-foreign": "event logs among the collateral are of other machines or boots",
        "evidence.tdx.event-log-mismatch": "the event log does not replay to the quoted RTMRs",
    }
)
