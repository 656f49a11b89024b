# SPDX-License-Identifier: AGPL-3.0-or-later
"""A judgement as an attestation result, not yet signed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attestation.ear.claims import Ear, Submodule
from verifier.appraisal.judge import Judgement
from verifier.plain import plain
from verifier.policy import Policy

DEVELOPER = "affidavit"
LIFETIME_SECONDS = 3600
"""How long a result may be relied upon: an hour after it was issued, and never beyond what it relied upon itself."""

NONCE_BYTES = range(8, 65)
"""Sizes of ``eat_nonce`` (RFC 9711, section 4.1); a challenge of another size is left out."""


def policy_name(policy: Policy) -> str:
    """``sha256:<hex>`` of the policy's file, or ``profile:<name>`` of a built-in one."""
    return f"profile:{policy.profile}" if policy.id == bytes(32) else f"sha256:{policy.id.hex()}"


def to_ear(judgements: Mapping[str, Judgement], *, build: str, policy: Policy, challenge: bytes | None) -> Ear:
    """One result about one or more pieces of evidence of one session.

    Args:
        judgements: by submodule name; at least one, all of one time, which is when the result counts as issued.
        build: name and version of the verifier.
        policy: under which they were judged.
        challenge: what the evidence was bound to.

    It expires an hour after it was issued or with the first of what the judgements rely upon, whichever is earlier.
    """
    issued = int(max(found.at for found in judgements.values()).timestamp())
    ends = [int(found.expires.timestamp()) for found in judgements.values() if found.expires is not None]
    return Ear(
        iat=issued,
        exp=min([issued + LIFETIME_SECONDS, *ends]),
        developer=DEVELOPER,
        build=build,
        nonce=challenge if challenge is not None and len(challenge) in NONCE_BYTES else None,
        submods={name: _submodule(found, policy) for name, found in judgements.items()},
    )


def _submodule(found: Judgement, policy: Policy) -> Submodule:
    said: dict[str, Any] = {
        "affidavit.type": found.type,
        "affidavit.verdict": found.verdict.value,
        "affidavit.code": found.code,
        "affidavit.score-permille": found.score.permille,
        "affidavit.appraised-at": int(found.at.timestamp()),
    }
    return Submodule(
        found.status,
        {name: tier.value for name, tier in found.vector.items()},
        (policy_name(policy),),
        {str(name): plain(value) for name, value in found.claims.items()},
        said,
    )
