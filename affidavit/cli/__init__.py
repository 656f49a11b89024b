# SPDX-License-Identifier: AGPL-3.0-or-later
"""The command line. One file per group of commands; ``main`` turns typed errors into one line and an exit code.

Exit codes everywhere: 0 done or ACCEPT, 10 REJECT, 20 UNVERIFIABLE or unsupported, 30 MALFORMED, 1 our own
fault or the environment's, 2 wrong usage.
"""

from __future__ import annotations

import contextlib
import sys

from affidavit.cli.app import app
from affidavit.cli.errors import print_error, verdict_of
from affidavit.cli.terminal import Console, give_up_output, spell_out
from verifier.errors import OperationalError

__all__ = ["main"]


def main() -> None:
    """Entry point of the ``affidavit`` command."""
    spell_out()
    as_json = "--json" in sys.argv[1:]
    try:
        _run(as_json)
    except (OSError, MemoryError) as error:
        # No room for the output, no memory, no more open files: nothing that a command could have foreseen.
        give_up_output()
        reason = getattr(error, "strerror", None) or str(error) or "out of memory"
        where = f": {name}" if (name := getattr(error, "filename", None)) else ""
        refused = OperationalError(
            "system.refused",
            f"the operating system refused: {reason}{where}",
            remedy="make room, or write elsewhere",
        )
        with contextlib.suppress(OSError):
            print_error(Console(stderr=True, soft_wrap=True), refused, as_json=as_json)
        sys.exit(1)


def _run(as_json: bool) -> None:
    try:
        app(prog_name="affidavit")
    except Exception as error:
        verdict = verdict_of(error)
        if verdict is None:
            raise
        command = next(iter(sys.argv[1:]), "")
        print_error(Console(stderr=not as_json, soft_wrap=True), error, as_json=as_json, command=command)
        sys.exit(verdict.exit_code)
