# SPDX-License-Identifier: AGPL-3.0-or-later
"""One evaluation of one Rego policy, as a process of its own: bounded, then started, then gone.

Run as a script by :mod:`verifier.service.rego_process`. Standard input is JSON (``name``, ``source``, ``query``,
``input``), standard output JSON too: ``outcome`` and ``value`` or ``message``. Imports nothing of this project, so that
starting it costs little.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

CPU_SECONDS = 5
MAX_ANSWER = 4 << 20


def bound() -> None:
    """Limit this process: CPU time, no files, no core dump; under memory pressure the kernel takes it first.

    Memory is watched from outside: the engine's allocator reserves 256 GiB of addresses, which no limit allows.
    Where the system has no limits, the caller's clock is left.
    """
    try:
        import resource
    except ImportError:
        return
    for limit, value in (
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(limit)
        wanted = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (wanted, wanted))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def evaluate(question: dict[str, Any]) -> dict[str, Any]:
    """The answer: ``ok`` with the query's value, ``malformed``, ``failed`` or ``absent`` with a message."""
    try:
        import regopy
        from regopy.rego_shared import LogLevel, RegoError
    except (ImportError, OSError) as error:
        return {"outcome": "absent", "message": str(error)}
    engine = regopy.Interpreter()
    engine.log_level = LogLevel.NONE  # it writes to standard output by itself
    try:
        engine.add_module(question["name"], question["source"])
    except (RegoError, ValueError) as error:
        return {"outcome": "malformed", "message": str(error)}
    try:
        engine.set_input_term(json.dumps(question["input"]))
        output = engine.query(question["query"])
        text = str(output)
        if not output.ok() or len(text) > MAX_ANSWER:
            raise ValueError(text[:MAX_ANSWER])
        return {"outcome": "ok", "value": {} if text == "undefined" else json.loads(text)}
    except (RegoError, ValueError) as error:
        return {"outcome": "failed", "message": str(error)}


def main() -> None:
    """Read the question, bound the process, answer."""
    question = json.load(sys.stdin)
    bound()
    try:
        answer = evaluate(question)
    except MemoryError:
        answer = {"outcome": "exhausted", "message": "out of memory"}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
