# SPDX-License-Identifier: AGPL-3.0-or-later
"""Work in processes of its own, so that peak memory and caches are those of the work alone."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Worker:
    """One process that was started, not forked, and stays until ``close``: its calls share its memory and caches."""

    def __init__(self) -> None:
        self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`function(*args, **kwargs)` there.  Raises what it raises, and BrokenProcessPool where the process dies."""
        return self._pool.submit(function, *args, **kwargs).result()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()


def fresh(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """`function(*args, **kwargs)` in a process that did nothing before."""
    with Worker() as worker:
        return worker.call(function, *args, **kwargs)


def peak_mb() -> int:
    """The largest resident set of this process so far, in MiB.

    On Linux from /proc: what getrusage says includes the parent's size at the time of the exec.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1 << 20 if sys.platform == "darwin" else 1 << 10)
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


def available_mb() -> int | None:
    """Memory that new work can have, in MiB; None where the system doesn't say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("MemAvailable")), None)
