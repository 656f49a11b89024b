# SPDX-License-Identifier: AGPL-3.0-or-later
"""The policy's own say about an appraisal: which open lines it demands, and lines that it adds behind the format's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from attestation.collateral import Collateral
from attestation.contract import Appraisal, Check
from verifier.appraisal.collateral_age import oldest_issue
from verifier.appraisal.score import AppraisalScore
from verifier.profiles import TCB_STATUSES, Demands

BY_BULLETINS = "bulletins_as_of"
"""The claim beside a status that was read off bulletins, not signed by a vendor."""

_NO_CHALLENGE = ".challenge-not-given"
_NO_LIST = ("-crl-missing", "-crl-invalid", "-crl-expired")


def demanded(checks: Sequence[Check], demands: Demands) -> tuple[Check, ...]:
    """The format's lines, with those open ones marked as demanded that the policy demands."""
    codes = ((_NO_CHALLENGE,) if demands.freshness else ()) + (_NO_LIST if demands.revocation else ())
    return tuple(
        replace(check, demanded=True) if check.outcome == "SKIP" and check.code.endswith(codes) and codes else check
        for check in checks
    )


def policy_lines(
    appraisal: Appraisal, collateral: Collateral, at: datetime, demands: Demands, *, own_table: bool
) -> list[Check]:
    """Lines ``policy.*`` about claims and collateral, in this order: debug, TCB status, age of collateral.

    ``own_table``: the policy has a table for this format, which then says itself what TCB statuses it tolerates.
    """
    lines = []
    if appraisal.claims.get("debug") is True:
        lines.append(
            Check(
                "policy.debug",
                "PASS" if demands.debug else "FAIL",
                "under debug: its operator may look into it",
                "debug tolerated" if demands.debug else "no debug",
                "" if demands.debug else "policy.debug.not-tolerated",
                category="configuration",
                warning=demands.debug,
            )
        )
    if not own_table:
        lines += _tcb_line(appraisal.claims, demands)
    if demands.max_collateral_age_days is not None and collateral.items:
        lines.append(_age(collateral, at, demands.max_collateral_age_days))
    return lines


def _tcb_line(claims: Mapping[str, Any], demands: Demands) -> list[Check]:
    """About the worst status that is claimed: of a collection, each piece's by its own measure."""
    pieces = claims.get("pieces")
    found = []
    for each in pieces.values() if isinstance(pieces, Mapping) else [claims]:
        status = each.get("tcb_status")
        if status in TCB_STATUSES:
            allowed = demands.bulletin_statuses if BY_BULLETINS in each else demands.tcb_statuses
            found.append((status not in allowed or status == "Revoked", TCB_STATUSES.index(status), allowed))
    if not found:
        return []
    refused, rank, allowed = max(found, key=lambda entry: entry[:2])
    return [
        Check(
            "policy.tcb-status",
            "FAIL" if refused else "PASS",
            TCB_STATUSES[rank],
            "one of " + ", ".join(name for name in TCB_STATUSES if name in allowed),
            "policy.tcb-status.not-tolerated" if refused else "",
            category="hardware",
            warning=not refused and TCB_STATUSES[rank] != "UpToDate",
        )
    ]


def _age(collateral: Collateral, at: datetime, days: int) -> Check:
    required = f"issued at most {days} days before the time of the question"
    issued = oldest_issue(collateral)
    if issued is None:
        return Check(
            "policy.collateral", "SKIP", "nothing with a date", required, "policy.collateral.undated", demanded=False
        )
    young = at - issued <= timedelta(days=days)
    code = "" if young else "policy.collateral.too-old"
    return Check("policy.collateral", "PASS" if young else "SKIP", issued.isoformat(), required, code)


def score_line(score: AppraisalScore, demands: Demands) -> list[Check]:
    """The line ``policy.score``; none where no minimum is set."""
    if demands.minimum_score == 0:
        return []
    enough = score.permille >= demands.minimum_score
    return [
        Check(
            "policy.score",
            "PASS" if enough else "SKIP",
            f"{score.permille / 1000:.3f}",
            f">= {demands.minimum_score / 1000:.3f}",
            "" if enough else "policy.score.too-low",
        )
    ]
