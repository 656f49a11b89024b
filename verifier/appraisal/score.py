# SPDX-License-Identifier: AGPL-3.0-or-later
"""Integrity score of an appraisal: a number in thousandths from check lines and claims, every part of it shown.

::

    score = 0                                       if a line is FAIL, none is PASS, or the evidence is simulated
    score = sum(floor(weight_i * value_i))          else, over the components below, value_i in [0, 1]
    score = min(score, 500)                         where a demanded line is open

==============  ======  ==============================================================================
component       weight  value
==============  ======  ==============================================================================
completeness    250     PASS / (PASS + SKIP) over every line but freshness
freshness       150     1 where a challenge was given and found, else 0
advisories      200     1 / (1 + n) for n published vulnerabilities that apply; 1/2 where unknown
firmware        150     1 up to a year after ``tcb_date``, falling evenly to 0 at five; 1/2 where unknown
boot            150     0 under debug, else 1 / (1 + n) for n unexpected components
tolerance       100     1 / (1 + n) for n lines that pass as tolerated only, or are open; freshness aside
==============  ======  ==============================================================================

Worse evidence never scores higher: PASS to tolerated to SKIP to FAIL, one more advisory or unexpected component, an
older firmware, debug, or a missing challenge each lowers one value or leaves it, and raises none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction

from attestation.contract import Check

FULL = 1000
OPEN_CAP = 500
"""Best score where something demanded is missing."""

YOUNG_DAYS, OLD_DAYS = 365, 1825
_FRESHNESS = (".challenge", ".nonce", ".freshness")
_UNKNOWN = Fraction(1, 2)


@dataclass(frozen=True)
class Component:
    """One line of the score: ``points`` of ``weight`` thousandths, and why."""

    name: str
    weight: int
    points: int
    reason: str


@dataclass(frozen=True)
class AppraisalScore:
    """The score in thousandths with its components; they add up to it unless ``reason`` says otherwise."""

    permille: int
    components: tuple[Component, ...] = ()
    reason: str = ""


NO_SCORE = AppraisalScore(0)
"""Of what was not understood."""


def is_freshness(check: Check) -> bool:
    """Whether a line is the one about the challenge (:func:`attestation.freshness.freshness`)."""
    return check.id.endswith(_FRESHNESS)


def appraisal_score(
    checks: Sequence[Check], claims: Mapping[str, object], at: datetime, *, simulated: bool = False
) -> AppraisalScore:
    """Compute the score of one appraisal at the time ``at`` (aware)."""
    components = tuple(
        Component(name, weight, int(weight * value), reason)
        for name, weight, (value, reason) in (
            ("completeness", 250, _completeness(checks)),
            ("freshness", 150, _freshness(checks)),
            ("advisories", 200, _advisories(claims.get("advisories"))),
            ("firmware", 150, _firmware(claims.get("tcb_date"), at)),
            ("boot", 150, _boot(claims)),
            ("tolerance", 100, _tolerance(checks)),
        )
    )
    if any(check.outcome == "FAIL" for check in checks):
        return AppraisalScore(0, components, "a check is false")
    if simulated or not any(check.outcome == "PASS" for check in checks):
        return AppraisalScore(0, components, "simulated" if simulated else "nothing was checked")
    total = sum(component.points for component in components)
    if total > OPEN_CAP and any(check.outcome == "SKIP" and check.demanded for check in checks):
        return AppraisalScore(OPEN_CAP, components, "a demanded check is open")
    return AppraisalScore(total, components)


def _completeness(checks: Sequence[Check]) -> tuple[Fraction, str]:
    lines = [check for check in checks if not is_freshness(check)]
    made = sum(check.outcome == "PASS" for check in lines)
    return Fraction(made, len(lines)) if lines else Fraction(0), f"{made} of {len(lines)} checks pass"


def _freshness(checks: Sequence[Check]) -> tuple[Fraction, str]:
    lines = [check for check in checks if is_freshness(check)]
    fresh = bool(lines) and all(check.outcome == "PASS" for check in lines)
    return Fraction(fresh), "bound to the challenge" if fresh else "not bound to a challenge"


def _advisories(claim: object) -> tuple[Fraction, str]:
    if not isinstance(claim, list | tuple):
        return _UNKNOWN, "advisories unknown"
    return Fraction(1, 1 + len(claim)), f"{len(claim)} advisories apply"


def _firmware(claim: object, at: datetime) -> tuple[Fraction, str]:
    try:
        date = datetime.fromisoformat(str(claim)) if isinstance(claim, str) else None
    except ValueError:
        date = None
    if date is None:
        return _UNKNOWN, "firmware date unknown"
    days = max(0, (at - (date if date.tzinfo else date.replace(tzinfo=UTC))).days)
    value = Fraction(OLD_DAYS - days, OLD_DAYS - YOUNG_DAYS)
    return max(Fraction(0), min(Fraction(1), value)), f"firmware of {days} days"


def _boot(claims: Mapping[str, object]) -> tuple[Fraction, str]:
    if claims.get("debug") is True:
        return Fraction(0), "under debug"
    unexpected = claims.get("unexpected_components")
    count = len(unexpected) if isinstance(unexpected, list | tuple) else 0
    return Fraction(1, 1 + count), f"{count} unexpected components" if count else "no unexpected component known"


def _tolerance(checks: Sequence[Check]) -> tuple[Fraction, str]:
    lines = [check for check in checks if not is_freshness(check)]
    count = sum(check.outcome == "SKIP" or (check.outcome == "PASS" and check.warning) for check in lines)
    return Fraction(1, 1 + count), f"{count} lines tolerated or open"
