# SPDX-License-Identifier: AGPL-3.0-or-later
"""What each code of event logs means, one line each. Codes are never renamed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attestation import families

CODES: Mapping[str, str] = MappingProxyType(
    {
        **families.structure("evidence.eventlog.log", "the event log"),
        "evidence.eventlog.log-too-large": "the event log exceeds its size or number of events",
        **families.structure("evidence.eventlog.variable", "a measured UEFI variable"),
        "evidence.eventlog.algorithm-unsupported": "the event log has digests of an unknown algorithm",
        "evidence.eventlog.bank-absent": "the event log cannot be replayed in the wanted bank",
    }
)
