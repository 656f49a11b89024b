# SPDX-License-Identifier: AGPL-3.0-or-later
"""A format whose appraisal is whatever a test says, and policies to judge it under."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from attestation.contract import Appraisal, Check, Format, Member
from verifier.appraisal import Judgement, judge
from verifier.policy import Policy
from verifier.profiles import Demands

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
TYPE = "fake@v1"
YOUNG = (AT - timedelta(days=100)).date().isoformat()
CLEAN = {"debug": False, "advisories": [], "tcb_date": YOUNG, "tcb_status": "UpToDate", "measurement": "00"}


@dataclass(frozen=True, kw_only=True)
class FakeTrust:
    """With the fields that profiles set."""

    require_crl: bool = True
    tcb_statuses: frozenset[str] = frozenset({"UpToDate"})
    allow_debug: bool = False


def line(id_: str = "evidence.fake.signature", outcome: str = "PASS", **changes: Any) -> Check:
    code = "" if outcome == "PASS" else f"{id_}-{outcome.lower()}"
    return Check(id_, outcome, "seen", "wanted", **{"code": code, **changes})  # type: ignore[arg-type]


FRESH = line("evidence.fake.challenge")
STALE = line("evidence.fake.challenge", "SKIP", code="evidence.fake.challenge-not-given", demanded=False)
NO_LIST = line("evidence.fake.revocation", "SKIP", code="evidence.fake.vcek-crl-missing", demanded=False)


@dataclass
class Fake:
    """Stands in the list of formats; remembers the trust and challenge that it was given."""

    checks: tuple[Check, ...] = (line(), FRESH)
    claims: Mapping[str, Any] = field(default_factory=lambda: dict(CLEAN))
    simulated: bool = False
    expires: datetime | None = None
    error: Exception | None = None
    trust: Any = None

    @property
    def format(self) -> Format:
        def appraise(members: Mapping[str, bytes], *, trust: Any, **_: Any) -> Appraisal:
            self.trust = trust
            if self.error is not None:
                raise self.error
            return Appraisal(TYPE, self.checks, self.claims, self.simulated, self.expires)

        members = {"x": Member(10, required=True)}
        return Format(TYPE, "fake", members, appraise, lambda data: {"x": data}, FakeTrust, self.simulated)


def policy(demands: Demands | None = None, **changes: Any) -> Policy:
    return Policy(**{"evidence": (TYPE,), "demands": demands or Demands(), **changes})


Judge = Callable[..., Judgement]


def judged(fake: Fake, monkeypatch: Any, chosen: Policy | None = None, **changes: Any) -> Judgement:
    """What is decided about ``fake`` evidence."""
    monkeypatch.setattr("verifier.appraisal.judgement.FORMATS", {TYPE: fake.format})
    asked = {"challenge": b"c" * 32, "at": AT, "policy": chosen or policy(), **changes}
    return judge(changes.pop("kind", TYPE), {"x": b"x"}, **{k: v for k, v in asked.items() if k != "kind"})
