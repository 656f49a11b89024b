# SPDX-License-Identifier: AGPL-3.0-or-later
"""Worse evidence never scores higher, every point is accounted for, and the weights add up."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation.contract import Check
from tests.verifier.appraisal.making import AT, CLEAN, FRESH, STALE, line
from verifier.appraisal.score import FULL, OPEN_CAP, appraisal_score

IDS = ("evidence.x.a", "evidence.x.b", "evidence.x.challenge", "evidence.x.c", "evidence.x.d")
STATES = (("PASS", False), ("PASS", True), ("SKIP", False), ("SKIP", True), ("FAIL", False))
"""Outcome and `warning` or `demanded`, from best to worst."""


def checks(states: tuple[int, ...]) -> list[Check]:
    return [
        Check(id_, STATES[n][0], "", "", warning=n == 1, demanded=n == 3)  # type: ignore[arg-type]
        for id_, n in zip(IDS, states, strict=True)
    ]


CLAIMS = st.fixed_dictionaries(
    {},
    optional={
        "advisories": st.lists(st.just("SA-1"), max_size=4),
        "tcb_date": st.integers(0, 4000).map(lambda days: (AT - timedelta(days=days)).date().isoformat()),
        "debug": st.booleans(),
        "unexpected_components": st.lists(st.just("x"), max_size=4),
    },
)
STATE_LISTS = st.tuples(*[st.integers(0, 4)] * len(IDS))


@given(STATE_LISTS, CLAIMS, st.integers(0, len(IDS) - 1))
def test_a_worse_line_never_scores_higher(states, claims, index):
    # The line about freshness is either made or not; tolerating it has no meaning.
    states = tuple(0 if IDS[i].endswith("challenge") and s == 1 else s for i, s in enumerate(states))
    before = appraisal_score(checks(states), claims, AT).permille
    for worse in range(states[index] + 1, 5):
        if IDS[index].endswith("challenge") and worse == 1:
            continue
        after = appraisal_score(checks((*states[:index], worse, *states[index + 1 :])), claims, AT).permille
        assert after <= before


@given(STATE_LISTS, CLAIMS, st.integers(1, 3000))
def test_worse_claims_never_score_higher(states, claims, days):
    lines = checks(states)
    before = appraisal_score(lines, claims, AT).permille
    worse = [{**claims, "debug": True}]
    for name in ("advisories", "unexpected_components"):
        if name in claims:
            worse.append({**claims, name: [*claims[name], "another"]})
    for other in worse:
        assert appraisal_score(lines, other, AT).permille <= before
    assert appraisal_score(lines, claims, AT + timedelta(days=days)).permille <= before
    assert appraisal_score([*lines, line("evidence.x.e", "SKIP", demanded=False)], claims, AT).permille <= before
    assert appraisal_score(lines, claims, AT, simulated=True).permille == 0


@given(STATE_LISTS, CLAIMS)
def test_every_point_is_accounted_for(states, claims):
    score = appraisal_score(checks(states), claims, AT)
    assert sum(part.weight for part in score.components) == FULL
    assert all(0 <= part.points <= part.weight and part.reason for part in score.components)
    assert 0 <= score.permille <= sum(part.points for part in score.components)
    assert score.reason or score.permille == sum(part.points for part in score.components)


def test_extremes():
    assert appraisal_score([line(), FRESH], CLEAN, AT).permille == FULL
    assert appraisal_score([], {}, AT).permille == 0
    assert appraisal_score([STALE], CLEAN, AT).permille == 0
    assert appraisal_score([line(), FRESH, line("evidence.x.y", "SKIP")], CLEAN, AT).permille <= OPEN_CAP


@pytest.mark.parametrize(
    ("change", "points"),
    [
        ({"advisories": ["A"]}, 900), ({"advisories": ["A", "B", "C"]}, 850), ({"debug": True}, 850),
        ({"unexpected_components": ["A"]}, 925), ({"tcb_date": "2021-06-01"}, 850), ({"tcb_date": "2016-01-01"}, 850),
        ({"tcb_date": "no date"}, 925), ({"tcb_date": "2027-01-01"}, 1000), ({"advisories": None}, 900),
    ],
)  # fmt: skip
def test_what_each_finding_costs(change, points):
    assert appraisal_score([line(), FRESH], {**CLEAN, **change}, AT).permille == points


def test_freshness_costs_its_weight():
    assert appraisal_score([line(), STALE], CLEAN, AT).permille == 850
    assert appraisal_score([line()], CLEAN, AT).permille == 850
    assert appraisal_score([line(), FRESH, replace(STALE, id="evidence.y.challenge")], CLEAN, AT).permille == 850
