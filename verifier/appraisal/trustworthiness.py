# SPDX-License-Identifier: AGPL-3.0-or-later
"""The trustworthiness vector and status of an appraisal (draft-ietf-rats-ar4si, sections 2.3.3 to 2.3.5).

A claim of the vector, per category, from the check lines that speak for it:

======================================================  ===========================
lines of the category                                   claim
======================================================  ===========================
one FAIL                                                96 contraindicated
else a demanded SKIP                                    0 none
else a PASS that the policy tolerates (``warning``)     32 warning
else a PASS                                             2 affirming
else (open lines only, or no line)                      absent
======================================================  ===========================

A line without category speaks for ``instance-identity``: signatures, chains and freshness are what ties evidence to one
machine. Where that is not established, nothing else is affirmed: every claim that would be 2 or 32 is 0.

The status is 96 on REJECT, 0 on UNVERIFIABLE (and every warning then is 0: nobody may act on it), else the worst
claim. A machine under debug and simulated evidence have 32 at best. So the status is never better than any of its
claims, in the order 2, 0, 32, 96 from best to worst.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attestation.contract import Check
from attestation.ear.tiers import CATEGORIES, Tier, worst
from verifier.verdict import Verdict


def vector_of(checks: Sequence[Check], verdict: Verdict) -> dict[str, Tier]:
    """Category to claim, of those that a line speaks for, in :data:`CATEGORIES` order."""
    lines: dict[str, list[Check]] = {}
    for check in checks:
        lines.setdefault(check.category or "instance-identity", []).append(check)
    vector = {name: claim for name in CATEGORIES if (claim := _claim(lines.get(name, ()))) is not None}
    authentic = vector.get("instance-identity") in (Tier.AFFIRMING, Tier.WARNING)
    if not authentic:
        vector = {name: claim if claim is Tier.CONTRAINDICATED else Tier.NONE for name, claim in vector.items()}
    if verdict is Verdict.UNVERIFIABLE:
        vector = {name: Tier.NONE if claim is Tier.WARNING else claim for name, claim in vector.items()}
    return vector


def _claim(lines: Sequence[Check]) -> Tier | None:
    if any(line.outcome == "FAIL" for line in lines):
        return Tier.CONTRAINDICATED
    if any(line.outcome == "SKIP" and line.demanded for line in lines):
        return Tier.NONE
    made = [line for line in lines if line.outcome == "PASS"]
    if not made:
        return None
    return Tier.WARNING if any(line.warning for line in made) else Tier.AFFIRMING


def status_of(vector: Mapping[str, Tier], verdict: Verdict, *, at_best: Tier = Tier.AFFIRMING) -> Tier:
    """The status that goes with a verdict; never better than ``at_best``."""
    if verdict is Verdict.REJECT:
        return Tier.CONTRAINDICATED
    if verdict is not Verdict.ACCEPT:
        return Tier.NONE
    return worst((*vector.values(), at_best))
