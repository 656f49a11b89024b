# SPDX-License-Identifier: AGPL-3.0-or-later
"""EZKL as an outside program: installed into an environment of its own, run as a process under caps.

Nothing here imports it; :mod:`benchmarks.ezkl_worker` does, under the other interpreter.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LOCK = Path(__file__).with_name("peers.txt")
VENV = ROOT / ".venv-peers"
STEP_LIMIT_S = 3600.0
"""Seconds for one step; LeNet-5's keys and proof take minutes each."""
MEMORY_LIMIT_MB = 20_000
"""Of address space; LeNet-5 needs 11 GiB."""


class PeerError(Exception):
    """The peer is not there, or does not do what was asked; the text says why."""


def install() -> Path:
    """The interpreter that has EZKL, installed once from its package by hash.

    Raises PeerError where it can't be installed: no package index, no wheel for this machine.
    """
    python = VENV / "bin" / "python"
    stamp, wanted = VENV / ".installed", LOCK.read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        print("installing EZKL into .venv-peers", flush=True)
        _run([sys.executable, "-m", "venv", "--clear", str(VENV)])
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet"]
        _run([*pip, "--only-binary", ":all:", "--no-deps", "--require-hashes", "-r", str(LOCK)])
        stamp.write_text(wanted)
    _run([str(python), "-c", "import ezkl"])
    return python


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reasons = [line for line in done.stderr.splitlines() if line.strip()]
        raise PeerError(f"{' '.join(command[1:4])} failed: {reasons[-1] if reasons else done.returncode}")


class Process:
    """One EZKL process in one folder, which answers step by step."""

    def __init__(self, python: Path, folder: Path, name: str) -> None:
        self._name = name
        self._log = (folder / "ezkl.log").open("wb")
        self._process = subprocess.Popen(
            [str(python), "-I", str(Path(__file__).with_name("ezkl_worker.py")), str(MEMORY_LIMIT_MB)],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={"PATH": os.environ.get("PATH", ""), "HOME": str(folder), "EZKL_REPO_PATH": str(folder / "ezkl")},
        )
        try:
            self.version: str = self._answer()["version"]
        except PeerError:
            self.close()
            raise

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        timer = threading.Timer(STEP_LIMIT_S, self._process.kill)
        timer.start()
        try:
            text = self._process.stdout.readline()
        finally:
            timer.cancel()
        if not text:
            code = self._process.wait()
            raise PeerError(f"EZKL's process ended with {code} (negative: by that signal; -9: time or memory)")
        answer: dict[str, Any] = json.loads(text)
        if "error" in answer:
            raise PeerError(f"EZKL refused: {answer['error'][:300]}")
        return answer

    def step(self, step: str, **arguments: object) -> dict[str, Any]:
        """Do one step of `ezkl_worker.Ezkl`, saying on the terminal how long it took."""
        assert self._process.stdin is not None
        print(f"  EZKL, {self._name}: {step} ...", end="", flush=True)
        started = time.perf_counter()
        try:
            self._process.stdin.write(json.dumps({"step": step, "arguments": arguments}).encode() + b"\n")
            self._process.stdin.flush()
            answer = self._answer()
        except (PeerError, BrokenPipeError) as error:
            print(" failed", flush=True)
            raise PeerError(str(error)) from None
        print(f" {time.perf_counter() - started:.2f} s", flush=True)
        return answer

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._log):
            if stream is not None:
                stream.close()
