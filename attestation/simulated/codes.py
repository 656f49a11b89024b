# SPDX-License-Identifier: AGPL-3.0-or-later
"""What each code of this format means, one line each. Codes are never renamed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attestation import families

CODES: Mapping[str, str] = MappingProxyType(
    {
        **families.members("evidence.simulated"),
        **families.raw("evidence.simulated", "simulated evidence"),
        "evidence.simulated.statement-malformed": "not a simulated@v1 statement in canonical form",
        "evidence.simulated.challenge-mismatch": "the statement repeats another challenge",
        "evidence.simulated.proves-nothing": "simulated evidence: nothing vouches for the machine",
    }
)
