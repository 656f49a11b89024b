# SPDX-License-Identifier: AGPL-3.0-or-later
"""One worker process, seen from the node: started, spoken to, killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from circuits import dump_circuit
from fhe import errors
from fhe.codes import CODES
from fhe.limits import MAX_BUNDLE_BYTES
from fhe.planning import EncryptedPlan
from fhe.worker import read_message, write_message

__all__ = ["Worker"]

_KINDS = {name: getattr(errors, name) for name in errors.__all__}
START_SECONDS = 300.0
"""The first start on a machine compiles the kernels."""


class Worker:
    """One process."""

    def __init__(self, memory_bytes: int, require: frozenset[str]) -> None:
        root = str(Path(__file__).resolve().parents[1])
        kept = {name: os.environ[name] for name in ("PATH", "NUMBA_CACHE_DIR", "LD_LIBRARY_PATH") if name in os.environ}
        threads = {f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP", "MKL", "NUMBA")}
        self.enforced: tuple[str, ...] = ()
        try:
            self._process = subprocess.Popen(
                # -P: nothing is imported from the working directory.
                [sys.executable, "-P", "-m", "fhe.worker", str(memory_bytes)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**kept, **threads, "PYTHONPATH": root},
                close_fds=True,
            )
        except OSError as error:
            raise errors.OperationalError("fhe.worker.died", f"no worker could be started: {error}") from None
        try:
            with self._deadline(START_SECONDS):
                self.enforced = self._greeting()
        except BaseException:
            self.stop()
            raise
        if not require <= set(self.enforced):
            self.stop()
            missing = ", ".join(sorted(require - set(self.enforced)))
            raise errors.OperationalError("fhe.worker.sandbox", f"this machine does not enforce {missing}")

    def _greeting(self) -> tuple[str, ...]:
        """What the process says first: the names of what its sandbox enforces."""
        try:
            (hello,) = self._read()
            return tuple(str(name) for name in json.loads(hello))
        except (ValueError, TypeError):
            raise _garbled() from None

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def stop(self) -> None:
        """Kill the process and take its exit status."""
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:  # what was not written is lost on purpose
                    continue
        self._process.wait()

    def run(self, job: dict[str, str], plan: EncryptedPlan | None, blobs: list[bytes], seconds: float) -> list[bytes]:
        """One job; `blobs` are keys, request and seed. Raises what the worker says, or OperationalError."""
        with self._deadline(seconds):
            self._write([json.dumps(job).encode()])
            lacks = self._read()
            if len(lacks) != 1 or len(lacks[0]) != 1:
                raise _garbled()
            circuit = dump_circuit(plan.circuit) if plan is not None and lacks[0][0] & 1 else b""
            keys, *rest = blobs
            self._write([circuit, keys if lacks[0][0] & 2 else b"", *rest])
            answer = self._read()
        if answer and answer[0] == b"ok":
            return answer
        raise _error(answer)

    def _write(self, parts: list[bytes]) -> None:
        stream = self._process.stdin
        if stream is None:
            raise _died()
        try:
            write_message(stream, parts)
        except OSError:
            raise _died() from None

    def _read(self) -> list[bytes]:
        stream = self._process.stdout
        if stream is None:
            raise _died()
        try:
            return read_message(stream, 2 * MAX_BUNDLE_BYTES)
        except (OSError, EOFError, MemoryError):
            raise _died() from None

    @contextmanager
    def _deadline(self, seconds: float) -> Iterator[None]:
        """Kill the process after so many seconds; what was waiting for it then fails."""
        passed = threading.Event()

        def end() -> None:
            passed.set()
            self._process.kill()

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        except errors.OperationalError:
            if passed.is_set():
                raise errors.OperationalError("fhe.worker.timeout", f"no answer in {seconds:g} s") from None
            raise
        finally:
            timer.cancel()


def _died() -> errors.OperationalError:
    return errors.OperationalError("fhe.worker.died", "a worker ended before it answered; it has been replaced")


def _garbled() -> errors.OperationalError:
    return errors.OperationalError("fhe.worker.garbled", "a worker's answer has not the agreed form")


def _error(answer: list[bytes]) -> errors.FheError:
    """The error that a worker reports, if it is one of ours."""
    if len(answer) == 5 and answer[0] == b"error":
        kind, code, message, remedy = (part[:2000].decode("utf-8", "replace") for part in answer[1:])
        if kind in _KINDS and code in CODES:
            made: errors.FheError = _KINDS[kind](code, message, remedy)
            return made
    return errors.OperationalError("fhe.worker.garbled", "a worker's error has not the agreed form")
