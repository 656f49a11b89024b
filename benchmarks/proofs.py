# SPDX-License-Identifier: AGPL-3.0-or-later
"""Proving and verifying: time by phase, bytes, soundness, memory, set-up; the model held and committed; the goals.

Each work of :mod:`benchmarks.works` is compiled in one process and measured in another of its own for each mode, so
that peak memory is that of proving and verifying it.  All together about five minutes on two cores; with
``--only NAME`` about 15 s for a small one, a minute and a half for open_nsfw or a batch.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any, get_args

from benchmarks.goals import Goal, judge, line
from benchmarks.process import WorkError, fresh
from benchmarks.proving import Mode, build, measure_case
from benchmarks.timing import spread
from benchmarks.works import WORKS

FRESH = "lenet5"
"""The work that a process of its own proves from start to end."""
FRESH_GOALS = (Goal("wall_s", 3),)
FRESH_ROUNDS = 5


def measure(rounds: int, only: Collection[str] = ()) -> dict[str, Any]:
    """All works in both modes, or those named in `only`; prints every goal's outcome as it is known.

    What is refused, or dies of memory, is recorded with its reason, and its goals as missed.
    """
    results: dict[str, Any] = {"works": {}, "cases": {}, "goals": []}
    for name, work in WORKS.items():
        if only and name not in only:
            continue
        with tempfile.TemporaryDirectory() as folder:
            results["works"][name] = fresh(build, name, Path(folder))
            for mode in get_args(Mode):
                of = f"{name}, {mode}"
                try:
                    case = fresh(measure_case, name, Path(folder), mode, rounds)
                except WorkError as error:
                    case = {"mode": mode, "failed": str(error)}
                    print(f"{of}: {error}", flush=True)
                results["cases"][of] = {"work": name, **case}
                _report(results, judge(work.goals, of, case, mode))
            if name == FRESH:
                results["fresh_process"] = {"work": name, "wall_s": _fresh_process(Path(folder))}
                _report(results, judge(FRESH_GOALS, f"{name}, fresh process", results["fresh_process"]))
    return results


def _report(results: dict[str, Any], outcomes: list[dict[str, Any]]) -> None:
    results["goals"] += outcomes
    for outcome in outcomes:
        print(line(outcome), flush=True)


def _fresh_process(folder: Path) -> dict[str, Any]:
    """Seconds of ``affidavit prove``, from before the process is there until after it has gone.

    The command loads compiled kernels, plans, executes in the reference interpreter, and proves twice (it reports the
    second).  The process before the first has left the files in the system's cache.
    """
    script = str(Path(sys.executable).with_name("affidavit"))
    command = [script, "prove", "model.circuit", "--input", "input.npz", "-o", "p.proof", "--json"]
    taken = []
    for _ in range(FRESH_ROUNDS + 1):
        started = time.perf_counter()
        done = subprocess.run(command, cwd=folder, capture_output=True, check=False, env=_environment())
        taken.append(time.perf_counter() - started)
        if done.returncode != 0:
            raise RuntimeError(f"affidavit prove failed: {done.stderr.decode()[-300:]}")
    return spread(taken[1:])


def _environment() -> dict[str, str]:
    """That this checkout is what the command imports, wherever it was installed from."""
    root = str(Path(__file__).resolve().parents[1])
    return {**os.environ, "PYTHONPATH": root}
