# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a figure should be.  A goal that is missed is recorded and printed like one that is met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Goal:
    """``figure`` should be below ``limit``, or above it.

    Attributes:
        figure: a key of the measured case; ``prove_s`` means its median.
        limit: in the figure's unit (the key's suffix names it; ratios have none).
        above: the goal is more than the limit.
        mode: the mode of proving that it is for; both where None.
    """

    figure: str
    limit: float
    above: bool = False
    mode: str | None = None

    def judge(self, of: str, case: Mapping[str, Any]) -> dict[str, Any]:
        """What was wanted of ``of``, what was measured, and whether that is met.  A missing figure is a miss."""
        found = case.get(self.figure)
        measured = found["median_s"] if isinstance(found, Mapping) else found
        met = measured is not None and (measured > self.limit if self.above else measured < self.limit)
        return {
            "of": of,
            "figure": self.figure,
            "goal": f"{'>' if self.above else '<'} {self.limit:g}",
            "measured": measured,
            "met": met,
            "missed_by": None if met or not measured else _factor(measured, self.limit),
        }


def _factor(measured: float, limit: float) -> float:
    return max(measured / limit, limit / measured)


def judge(goals: Sequence[Goal], of: str, case: Mapping[str, Any], mode: str | None = None) -> list[dict[str, Any]]:
    """Every goal that applies to this mode."""
    return [goal.judge(of, case) for goal in goals if goal.mode in (None, mode)]


def line(outcome: Mapping[str, Any]) -> str:
    """One outcome, for people."""
    measured, factor = outcome["measured"], outcome["missed_by"]
    verdict = "met" if outcome["met"] else "MISSED" + (f" by a factor of {factor:.3g}" if factor else "")
    shown = "not measured" if measured is None else f"{measured:.4g}"
    return f"{outcome['of']}: {outcome['figure']} {shown}, goal {outcome['goal']}: {verdict}"
