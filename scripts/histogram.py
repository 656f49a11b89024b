# SPDX-License-Identifier: AGPL-3.0-or-later
"""Times by the million: counts in steps of two per cent of a microsecond, which JSON can hold."""

from __future__ import annotations

import math
from collections.abc import Mapping

_STEP = math.log(1.02)


def step(seconds: float) -> str:
    """The step in which a time is counted."""
    return str(int(math.log(max(1.0, seconds * 1e6)) / _STEP))


def percentile(counts: Mapping[str, int], share: float, most: float) -> float:
    """Seconds that so many of the times did not exceed, to two per cent; `most` is the longest of them."""
    left = share * sum(counts.values())
    for number in sorted(counts, key=int):
        left -= counts[number]
        if left <= 0:
            return min(most, 1e-6 * math.exp(_STEP * (int(number) + 1)))
    return most
