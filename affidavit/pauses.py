# SPDX-License-Identifier: AGPL-3.0-or-later
"""How long a client waits before it asks again."""

from __future__ import annotations

import random
from collections.abc import Iterator

FIRST_PAUSE, LONGEST_PAUSE, PAUSE_GROWTH = 0.02, 1.0, 1.6


def pauses() -> Iterator[float]:
    """Seconds, growing, each with some chance in it so that clients do not come in step."""
    pause = FIRST_PAUSE
    while True:
        yield pause * (0.75 + random.random() / 2)
        pause = min(pause * PAUSE_GROWTH, LONGEST_PAUSE)
