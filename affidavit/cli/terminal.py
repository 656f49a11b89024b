# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is written for people and programs: no text of others may move a cursor, fake a line, or break the encoding.

Evidence, nodes, results and names of files are others' words. :func:`escape` shows what is not printable in them as
backslash escapes, beside rich's own markup; JSON is ASCII, so that every terminal and pipe can take it.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any

import rich.console
import rich.markup


class Console(rich.console.Console):
    """rich's console, whose JSON is ASCII and whose text stays as it is (no ``:key:`` becomes a picture)."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"emoji": False, **options})

    def print_json(self, json: str | None = None, **options: Any) -> None:
        """As rich's, with ``ensure_ascii``: what an encoding lacks, lone surrogates too, is an escape of JSON."""
        super().print_json(json, **{"ensure_ascii": True, **options})


def escape(text: str) -> str:
    """Text of others for :meth:`Console.print`: no control characters, no line breaks, no markup."""
    return rich.markup.escape("".join(map(_shown, text)))


def _shown(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")


def spell_out() -> None:
    """Have both outputs spell out what their encoding lacks, instead of failing at it."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def give_up_output() -> None:
    """After a failed write: what still waits in the buffer must not fail once more when the process ends."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
