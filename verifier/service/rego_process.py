# SPDX-License-Identifier: AGPL-3.0-or-later
"""The process in which a Rego policy runs, seen from outside: started, asked once, killed when its time is up.

A policy is its owner's program, but what it works on comes from strangers: a log with very many events, say. So it
may neither hold up the service nor eat its memory, and an evaluation that does not end decides nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from verifier.errors import OperationalError, UnsupportedError
from verifier.service import rego_worker

SECONDS = 10.0
"""Wall-clock bound on one evaluation, the start of its process included."""
MEMORY_BYTES = 512 << 20
"""What it may hold in memory, looked at so often:"""
POLL_SECONDS = 0.02

Outcome = Literal["ok", "malformed", "failed", "exhausted"]
_OUTCOMES = ("ok", "malformed", "failed", "exhausted")


@dataclass(frozen=True)
class Evaluated:
    """What came of it: ``value`` where it is ``ok``, else a ``message`` of one line."""

    outcome: Outcome
    value: Any = None
    message: str = ""


def require_engine() -> Path:
    """Where the engine is installed. Raises ``UnsupportedError``: ``policy.rego.engine-absent``."""
    found = find_spec("regopy")
    if found is None or found.origin is None:
        raise UnsupportedError(
            "policy.rego.engine-absent", "no Rego engine is installed", remedy="pip install 'affidavit[rego]'"
        )
    return Path(found.origin).resolve().parents[1]


def evaluate(name: str, source: str, query: str, document: Mapping[str, Any], *, seconds: float = SECONDS) -> Evaluated:
    """Ask for ``query`` under the policy ``source``; ``document`` is its input.

    Raises:
        UnsupportedError: ``policy.rego.engine-absent``.
        OperationalError: ``policy.rego.failed``: no process could be started.
    """
    where = require_engine()
    question = json.dumps({"name": name, "source": source, "query": query, "input": document})
    kept = {key: os.environ[key] for key in ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT") if key in os.environ}
    try:
        # A file: communicate() goes on reading after a timeout, but never on writing what a pipe did not take at once.
        with tempfile.TemporaryFile() as asked:
            asked.write(question.encode("utf-8"))
            asked.seek(0)
            process = subprocess.Popen(
                # -P: nothing is imported from this room or from the working directory.
                [sys.executable, "-P", "-B", str(Path(rego_worker.__file__).resolve())],
                stdin=asked,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**kept, "PYTHONPATH": str(where)},
            )
    except OSError as error:
        raise OperationalError("policy.rego.failed", f"{name}: no process could be started: {error.strerror}") from None
    with process:
        try:
            answer = _watched(process, seconds)
        finally:
            process.kill()
    if isinstance(answer, str):
        return Evaluated("exhausted", message=answer)
    if process.returncode != 0:
        return Evaluated("exhausted", message=f"its process ended with {process.returncode}")
    return _read(answer)


def _watched(process: subprocess.Popen[bytes], seconds: float) -> bytes | str:
    """The answer, or which bound was hit first."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return process.communicate(timeout=POLL_SECONDS)[0]
        except subprocess.TimeoutExpired:
            pass
        if time.monotonic() > deadline:
            return f"not finished after {seconds:g} s"
        if _resident(process.pid) > MEMORY_BYTES:
            return f"more than {MEMORY_BYTES >> 20} MiB of memory"


def _resident(pid: int) -> int:
    """Bytes of memory that a process holds; 0 where the system does not say (Linux does)."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def _read(answer: bytes) -> Evaluated:
    try:
        said = json.loads(answer)
        outcome = said["outcome"]
        if outcome == "absent":
            raise UnsupportedError("policy.rego.engine-absent", f"the Rego engine cannot be loaded: {said['message']}")
        if outcome not in _OUTCOMES:
            raise ValueError(outcome)
        return Evaluated(outcome, said.get("value"), " ".join(str(said.get("message", "")).split())[:200])
    except (ValueError, KeyError, TypeError, RecursionError):
        return Evaluated("failed", message="an answer that cannot be read")
