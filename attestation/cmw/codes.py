# SPDX-License-Identifier: AGPL-3.0-or-later
"""What each code of this format means, one line each. Codes are never renamed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attestation import families

CODES: Mapping[str, str] = MappingProxyType(
    {
        **families.members("evidence.cmw"),
        **families.raw("evidence.cmw", "a collection of evidence"),
        "evidence.cmw.challenge-mismatch": "the collection was made for another challenge",
        "evidence.cmw.challenge-length": "a collection was to be made over a challenge that is not 32 bytes long",
        "evidence.cmw.collection-too-large": "a collection was to be made that is larger than any that is read",
        "evidence.cmw.collection-malformed": "not a cmw-collection@v1 in its one form",
        "evidence.cmw.collection-unsupported": "a collection of another type, whose pieces nothing binds to each other",
        "evidence.cmw.piece-not-accepted": "a piece of a type that the policy does not accept",
        "evidence.cmw.piece-required": "a type of evidence that the policy requires is not in the collection",
        "evidence.cmw.piece-unsupported": "a piece of a type that is not known, or a message that is no evidence",
        "evidence.cmw.trust-invalid": "the policy's settings for collections mean nothing",
    }
)
