# SPDX-License-Identifier: AGPL-3.0-or-later
"""Timing of several things in turn, so that a busy moment of the machine hits all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np


def interleaved(
    work: Mapping[str, Callable[[], object]], *, rounds: int, warm: int = 3, pause: float = 0.0
) -> dict[str, dict[str, Any]]:
    """Call each of ``work`` once per round; seconds of wall-clock time.

    Args:
        work: what to call, by name.
        rounds, warm: measured rounds, and rounds before them.
        pause: seconds of rest before each call, so that one runtime's waiting threads, which spin for a while, do not
            take the cores from the next one's.

    Returns:
        For each name its `spread`.
    """
    times: dict[str, list[float]] = {name: [] for name in work}
    for number in range(warm + rounds):
        for name, function in work.items():
            time.sleep(pause)
            started = time.perf_counter()
            function()
            if number >= warm:
                times[name].append(time.perf_counter() - started)
    return {name: spread(seen) for name, seen in times.items()}


def spread(seen: Sequence[float]) -> dict[str, Any]:
    """``median_s``, ``best_s``, the quartiles as ``spread_s``, and how many ``rounds`` there were."""
    return {
        "median_s": float(np.median(seen)),
        "best_s": min(seen),
        "spread_s": [float(np.quantile(seen, 0.25)), float(np.quantile(seen, 0.75))],
        "rounds": len(seen),
    }
