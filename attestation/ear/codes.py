# SPDX-License-Identifier: AGPL-3.0-or-later
"""What each code of attestation results means, one line each. Codes are never renamed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

CODES: Mapping[str, str] = MappingProxyType(
    {
        "evidence.ear.algorithm": "the token names another algorithm than the key's, none, or a symmetric one",
        "evidence.ear.claims-malformed": "the claims of an attestation result break its dialect's grammar",
        "evidence.ear.critical-header": "the token has a critical header that is not known here",
        "evidence.ear.expired": "the attestation result has expired",
        "evidence.ear.key-malformed": "a key that is neither JWK nor PEM",
        "evidence.ear.key-unsupported": "a key of an algorithm that is not supported",
        "evidence.ear.nonce-mismatch": "the attestation result is about another nonce, or none",
        "evidence.ear.not-yet": "the attestation result was issued after the time of the question",
        "evidence.ear.profile": "an attestation result of a profile that is not known",
        "evidence.ear.raw-empty": "an attestation result without content",
        "evidence.ear.raw-malformed": "JSON that does not parse, has a name twice or nests too deeply",
        "evidence.ear.raw-too-large": "an attestation result beyond the limit",
        "evidence.ear.signature": "the signature is not that of the key given",
        "evidence.ear.status-better-than-vector": "a status is better than a claim that it should rest on",
        "evidence.ear.token-malformed": "not a compact JWS or COSE_Sign1 in its one form",
    }
)
