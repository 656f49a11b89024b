# SPDX-License-Identifier: AGPL-3.0-or-later
"""Runs a page's ``console`` and ``python`` blocks in order, as a reader would, and compares what they print.

In a ``console`` block a line that starts with ``$ `` is a command, and the lines behind it are its output: a line
``...`` stands for any lines, ``...`` inside a line for any text, and ``[exit N]`` for the exit code (0 unless
stated). A command that ends in ``&`` runs in the background until the page ends.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TIMEOUT = 120
_BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_EXIT = re.compile(r"\[exit (\d+)\]\Z")


@dataclass(frozen=True)
class Step:
    """One command or one piece of Python, with the output it must have and its exit code."""

    kind: str
    text: str
    expected: tuple[str, ...] = ()
    code: int = 0


def steps(page: str) -> Iterator[Step]:
    """The steps of a page in order."""
    for kind, body in _BLOCK.findall(page):
        if kind == "python":
            yield Step("python", body)
            continue
        for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
            command, *expected = part.rstrip("\n").split("\n")
            code = 0
            if expected and (found := _EXIT.match(expected[-1])):
                code = int(found.group(1))
                expected = expected[:-1]
            yield Step(
                "background" if command.endswith("&") else "command", command.rstrip(" &"), tuple(expected), code
            )


def pattern(expected: tuple[str, ...]) -> re.Pattern[str]:
    """The regular expression that the whole output must match."""
    parts = []
    for line in expected:
        if line == "...":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*".join(re.escape(piece) for piece in line.split("...")) + r"\n")
    return re.compile("".join(parts) + r"\Z")


@contextmanager
def background(command: list[str], folder: Path, environment: dict[str, str]) -> Iterator[None]:
    """A server while the rest of the page runs; waits until its ``--port`` answers."""
    port = int(command[command.index("--port") + 1])
    with subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(600):
                assert process.poll() is None, f"{command} ended"
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def environment() -> dict[str, str]:
    """With the command of this interpreter's environment in front, and lines as long as they come."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**os.environ, "PATH": path, "COLUMNS": "400", "NO_COLOR": "1", "TERM": "dumb"}


def run(step: Step, folder: Path) -> None:
    """Run one step and compare; raises AssertionError with both texts."""
    command = [sys.executable, "-c", step.text] if step.kind == "python" else shlex.split(step.text)
    done = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    assert done.returncode == step.code, f"{step.text}\nexit {done.returncode}\n{done.stdout}{done.stderr}"
    if step.expected:
        assert pattern(step.expected).match(done.stdout), f"$ {step.text}\nprinted\n{done.stdout}\nnot\n" + "\n".join(
            step.expected
        )
