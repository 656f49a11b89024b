# SPDX-License-Identifier: AGPL-3.0-or-later
"""A judgement as a plain JSON object: what ``affidavit appraise --json`` and the service give."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from attestation.contract import Check
from verifier.appraisal.judge import Judgement
from verifier.plain import plain

FORMAT = "appraisal@v1"


def judgement_json(found: Judgement, *, policy: str, ear: Mapping[str, Any] | None) -> dict[str, Any]:
    """Render a judgement.

    Args:
        policy: its name, :func:`verifier.appraisal.ear.policy_name`.
        ear: the unsigned claims set; ``None`` where nothing was decided.

    Returns:
        ``format``, ``type``, ``at``, ``policy``, ``verdict``, ``exit_code``, ``code``, ``message``, ``remedy``,
        ``status``, ``trustworthiness`` (category to tier), ``checks``, ``claims``, ``score`` (0 to 1),
        ``score_components``, ``score_reason``, ``simulated``, ``expires`` and ``ear``. Keys never change meaning.
    """
    return {
        "format": FORMAT,
        "type": found.type,
        "at": _time(found.at),
        "policy": policy,
        "verdict": found.verdict.value,
        "exit_code": found.verdict.exit_code,
        "code": found.code,
        "message": found.message,
        "remedy": found.remedy,
        "status": found.status.word,
        "trustworthiness": {name: tier.word for name, tier in found.vector.items()},
        "checks": [check_json(check) for check in found.checks],
        "claims": plain(found.claims),
        "score": found.score.permille / 1000,
        "score_components": [
            {
                "name": part.name,
                "weight": part.weight / 1000,
                "points": part.points / 1000,
                "reason": part.reason,
            }
            for part in found.score.components
        ],
        "score_reason": found.score.reason,
        "simulated": found.simulated,
        "expires": None if found.expires is None else _time(found.expires),
        "ear": None if ear is None else dict(ear),
    }


def check_json(check: Check) -> dict[str, Any]:
    """One line; ``demanded`` says whether a SKIP leaves the appraisal open, ``warning`` that a PASS is tolerated."""
    return {
        "id": check.id,
        "result": check.outcome,
        "observed": check.observed,
        "required": check.required,
        "code": check.code,
        "bits": check.bits,
        "demanded": check.demanded,
        "category": check.category,
        "warning": check.warning,
    }


def _time(value: Any) -> str:
    return str(value.astimezone(UTC).isoformat().replace("+00:00", "Z"))
