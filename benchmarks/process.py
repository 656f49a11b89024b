# SPDX-License-Identifier: AGPL-3.0-or-later
"""Work in processes of its own, so that peak memory and caches are those of the work alone."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

P = ParamSpec("P")
T = TypeVar("T")


class WorkError(Exception):
    """What was to be done in another process was not; the text says why, in one line."""


def fresh(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """`function(*args, **kwargs)` in a process that was started, not forked, and did nothing before.

    Raises WorkError where it raises, or where the process dies.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            made, failure = pool.submit(_guarded, function, args, kwargs).result()
        except BrokenProcessPool:
            raise WorkError("the process died: of memory, or by a signal") from None
    if failure:
        raise WorkError(failure)
    return cast("T", made)


def _guarded(function: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[T | None, str]:
    """What it returns, or what it raised, as text: not every exception can travel between processes."""
    try:
        return function(*args, **kwargs), ""
    except Exception as error:  # noqa: BLE001 - whatever it is, it is recorded
        reason = str(error).strip().splitlines()
        return None, f"{type(error).__name__}: {reason[0] if reason else ''}"


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
