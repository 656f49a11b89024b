# SPDX-License-Identifier: AGPL-3.0-or-later
"""Goals are judged by what was measured, and a figure that is not there is a miss."""

from __future__ import annotations

import pytest

from benchmarks.goals import Goal, judge, line


def test_a_time_is_judged_by_its_median():
    outcome = Goal("prove_s", 0.1).judge("x", {"prove_s": {"median_s": 0.2, "best_s": 0.01}})
    assert not outcome["met"]
    assert outcome["missed_by"] == pytest.approx(2)
    assert line(outcome) == "x: prove_s 0.2, goal < 0.1: MISSED by a factor of 2"


@pytest.mark.parametrize(("above", "measured", "met"), [(False, 9, True), (False, 10, False), (True, 10, False)])
def test_the_limit_itself_is_a_miss(above, measured, met):
    assert Goal("ratio", 10, above=above).judge("x", {"ratio": measured})["met"] is met


def test_a_ratio_that_is_too_small_is_missed_by_its_inverse():
    assert Goal("ratio", 200, above=True).judge("x", {"ratio": 50})["missed_by"] == pytest.approx(4)


@pytest.mark.parametrize("case", [{}, {"ratio": None}])
def test_what_was_not_measured_is_missed(case):
    outcome = Goal("ratio", 1).judge("x", case)
    assert not outcome["met"]
    assert line(outcome) == "x: ratio not measured, goal < 1: MISSED"


def test_goals_of_one_mode_are_not_asked_of_the_other():
    goals = (Goal("a", 1), Goal("b", 1, mode="held"))
    assert [o["figure"] for o in judge(goals, "x", {"a": 0, "b": 0}, "held")] == ["a", "b"]
    assert [o["figure"] for o in judge(goals, "x", {"a": 0, "b": 0}, "committed")] == ["a"]
