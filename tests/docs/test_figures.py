# SPDX-License-Identifier: AGPL-3.0-or-later
"""Figures in the pages are those of the benchmarks' result files."""

from __future__ import annotations

import pytest

from scripts.figures import page, peer_section, proof_section
from tests.conftest import ROOT


@pytest.mark.docs
def test_the_page_is_what_the_files_say():
    assert (ROOT / "docs/benchmarks.md").read_text() == page(), "run: python scripts/figures.py > docs/benchmarks.md"


MACHINE = {"processor": "p", "cores": 2, "flags": [], "load_average": 0.0, "system": "s", "python": "3"}


def _result(found):
    return {"command": "c", "measured_at": "t", "machine": MACHINE, "versions": {"affidavit": "0"}, "results": found}


def _time(seconds):
    return {"median_s": seconds, "best_s": seconds, "spread_s": [seconds, seconds], "rounds": 1}


def _side(seconds, set_up_s):
    times = dict.fromkeys(("prove_s", "verify_s", "prove_files_s", "verify_files_s"), _time(seconds))
    return {**times, "proof_bytes": 7, "peak_mb": 8, "set_up_s": set_up_s}


def _peer_work(ezkl, ratio):
    ratios = dict.fromkeys(("prove_ratio", "verify_ratio", "prove_files_ratio", "verify_files_ratio"), ratio)
    return {
        "work": {"batch": 1, "multiplications": 1},
        "ezkl": ezkl,
        "held": _side(0.01, None),
        "committed": _side(0.02, 0.5),
        "ratios": {"held": ratios, "committed": ratios},
        "agreement": {"float": [1.0, -1.0], "largest_difference": {"affidavit": 0.01}},
    }


def _goal(met, measured, missed_by):
    return {
        "of": "w",
        "figure": "prove_ratio",
        "goal": "> 200",
        "met": met,
        "measured": measured,
        "missed_by": missed_by,
    }


def test_a_peer_that_is_missing_has_no_figures():
    found = {"peer": {"name": "EZKL", "missing": "no index"}, "works": {"w": _peer_work({"failed": "x"}, None)}}
    text = peer_section(_result({**found, "goals": [_goal(False, None, None)]}))
    assert "could not be installed: no index" in text
    assert "| EZKL |" not in text


def test_a_peer_that_failed_says_why_and_its_goals_are_missed():
    found = {"peer": {"name": "EZKL", "version": "1"}, "works": {"w": _peer_work({"failed": "out of memory"}, None)}}
    text = peer_section(_result({**found, "goals": [_goal(False, None, None)]}))
    assert "| w | EZKL | none: out of memory |" in text
    assert "0 of 1 are met. Missed:" in text
    assert "measured not measured" not in text


def test_ratios_are_shown_and_a_missed_goal_by_how_much():
    found = {"peer": {"name": "EZKL", "version": "1"}, "works": {"w": _peer_work(_side(5.0, 60.0), 100.0)}}
    text = peer_section(_result({**found, "goals": [_goal(False, 100.0, 2.0), _goal(True, 300.0, None)]}))
    assert "| w | EZKL | 5 s | 5 s | 5 s | 5 s | 7 | 8 | 60 s |" in text
    assert "| w, held | 100 | 100 | 100 | 100 |" in text
    assert "1 of 2 are met. Missed:" in text
    assert "- w: `prove_ratio` > 200, measured 100, by a factor of 2" in text


def test_a_refused_work_is_a_row_with_its_reason():
    work = {"batch": 1, "multiplications": 1, "execute_s": _time(1.0)}
    case = {"work": "w", "mode": "held", "failed": "too few bits"}
    found = {"works": {"w": work}, "cases": {"w, held": case}, "fresh_process": {"work": "w", "wall_s": _time(2.0)}}
    assert "| w, held | none: too few bits |" in proof_section(_result({**found, "goals": []}))


@pytest.mark.parametrize(("load", "marked"), [(1.4, False), (1.6, True)])
def test_a_run_on_a_busy_machine_is_marked(load, marked):
    result = _result({"peer": {"name": "EZKL", "missing": "no index"}, "works": {}, "goals": []})
    result["machine"] = {**MACHINE, "load_average": load}
    assert ("The machine was busy" in peer_section(result)) is marked
