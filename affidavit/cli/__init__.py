# SPDX-License-Identifier: AGPL-3.0-or-later
"""The command line. One file per group of commands; ``main`` turns typed errors into one line and an exit code.

Exit codes everywhere: 0 done or ACCEPT, 10 REJECT, 20 UNVERIFIABLE or unsupported, 30 MALFORMED, 1 our own
fault or the environment's, 2 wrong usage.
"""

from __future__ import annotations

import sys

from affidavit.cli.app import app
from affidavit.cli.errors import print_error, verdict_of

__all__ = ["main"]


def main() -> None:
    """Entry point of the ``affidavit`` command."""
    from rich.console import Console

    as_json = "--json" in sys.argv[1:]
    try:
        app(prog_name="affidavit")
    except Exception as error:
        verdict = verdict_of(error)
        if verdict is None:
            raise
        command = next(iter(sys.argv[1:]), "")
        print_error(Console(stderr=not as_json, soft_wrap=True), error, as_json=as_json, command=command)
        sys.exit(verdict.exit_code)
