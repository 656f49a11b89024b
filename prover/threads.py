# SPDX-License-Identifier: AGPL-3.0-or-later
"""Long loops on all cores.  Kernels release the interpreter lock, so plain threads suffice."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

T = TypeVar("T")

LONG = 1 << 13
"""Extension elements worth a thread."""


@cache
def _cores() -> int:
    return os.cpu_count() or 1


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_cores(), thread_name_prefix="prover")


def spread(work: Callable[[int, int], T], count: int, least: int) -> list[T]:
    """[work(first, last), ...] over consecutive pieces of range(count), of `least` or more if there are two."""
    pieces = max(1, min(_cores(), count // max(1, least)))
    if pieces == 1:
        return [work(0, count)]
    ends = [count * i // pieces for i in range(pieces + 1)]
    waiting = [_pool().submit(work, ends[i], ends[i + 1]) for i in range(1, pieces)]
    return [work(ends[0], ends[1]), *(w.result() for w in waiting)]
