# SPDX-License-Identifier: AGPL-3.0-or-later
"""Evaluation of untrusted bytes: worker processes that are killed and replaced on any fault.

The node's own process never parses a request or a key, makes no SEAL object and holds no secret key; it looks at
the answer's framing alone, and takes its digest itself. A worker that crashes, hangs, runs out of memory
or answers nonsense is killed, the request gets a typed error, and the next one a new worker.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType

from fhe import errors
from fhe.limits import MAX_BUNDLE_BYTES, MAX_KEY_BYTES
from fhe.planning import EncryptedPlan
from fhe.process import Worker
from fhe.tenseal_clients import is_tenseal, write_tenseal
from fhe.wire import Ciphertexts, dump_ciphertexts, parse_ciphertexts
from fhe.worker import digest_of

__all__ = ["EncryptedAnswer", "EvaluationPool"]


@dataclass(frozen=True, slots=True)
class EncryptedAnswer:
    """An answer, and what a receipt says of it.

    Attributes:
        ciphertexts: `fhe-ciphertexts@v1`, or TenSEAL's form where the request had it.
        answer_digest: SHA-256 of these bytes, taken in this process: a worker has no say in it.
        cpu_seconds: of the evaluation itself, as the worker says.
    """

    ciphertexts: bytes
    answer_digest: bytes
    cpu_seconds: float


class EvaluationPool:
    """A few workers, and a bounded queue before them. Close it, or use it as a context manager.

    Args:
        workers: processes; an evaluation uses one core.
        memory_bytes: address space of a worker beyond what it starts with.
        seconds: of wall-clock time for one request; then its worker is killed.
        waiting: requests that may wait for a worker; more are refused.
        require: names of :mod:`fhe.sandbox` without which no worker serves (``fhe.worker.sandbox``).
    """

    def __init__(
        self,
        *,
        workers: int = 1,
        memory_bytes: int = 4 << 30,
        seconds: float = 120.0,
        waiting: int = 16,
        require: frozenset[str] = frozenset(),
    ) -> None:
        self._memory, self._seconds, self._require = memory_bytes, seconds, require
        self._idle: list[Worker | None] = [None] * workers  # None: a place without a process yet
        self._places = threading.Semaphore(workers)
        self._entries = threading.Semaphore(workers + waiting)
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> EvaluationPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop all idle workers; busy ones stop when they are done."""
        with self._lock:
            self._closed = True
            workers, self._idle = self._idle, []
        for worker in workers:
            if worker is not None:
                worker.stop()

    def evaluate(
        self, plan: EncryptedPlan, request: bytes, keys: bytes, *, seed: bytes | None = None
    ) -> EncryptedAnswer:
        """Run a plan on a request under a session's keys.

        Args:
            plan: made from the node's own circuit.
            request: `fhe-ciphertexts@v1`, or a TenSEAL tensor or vector; untrusted.
            keys: `fhe-keys@v1`, or a TenSEAL context; untrusted.
            seed: 32 bytes for a private plan (commit to it first: :func:`fhe.commit_seed`).

        Raises:
            MalformedError, RejectedError, UnsupportedError: what is wrong with request, keys or plan.
            OperationalError: ``fhe.worker.busy``, ``.closed``, ``.timeout``, ``.died``, ``.memory``, ``.garbled``,
                ``.circuit``, ``.sandbox``.
        """
        if len(request) > MAX_BUNDLE_BYTES:
            raise errors.MalformedError("fhe.ciphertext.too-large", f"{len(request)} bytes")
        if len(keys) > MAX_KEY_BYTES:
            raise errors.MalformedError("fhe.keys.too-large", f"{len(keys)} bytes")
        with self._worker() as worker:
            said = worker.run(_job(plan, keys), plan, [keys, request, seed or b""], self._seconds)
            answer, seconds = self._checked(plan, said)
        reply = write_tenseal(plan.interface, answer) if is_tenseal(request) else dump_ciphertexts(answer)
        return EncryptedAnswer(reply, hashlib.sha256(reply).digest(), seconds)

    def inspect(self, data: bytes) -> str:
        """What a TenSEAL client sends, before it is kept: ``context`` or ``tensor``.

        Raises:
            MalformedError: ``fhe.tenseal.malformed``, ``.secret-key``, ``.parameters``.
            OperationalError: as :meth:`evaluate`.
        """
        if len(data) > MAX_BUNDLE_BYTES:
            raise errors.MalformedError("fhe.tenseal.malformed", f"{len(data)} bytes")
        with self._worker() as worker:
            answer = worker.run({"kind": "inspect"}, None, [b"", data, b""], self._seconds)
            if answer[1:] not in ([b"context"], [b"tensor"]):
                raise errors.OperationalError("fhe.worker.garbled", "a worker's answer has not the agreed form")
            return answer[1].decode()

    def enforced(self) -> tuple[str, ...]:
        """What the sandbox of a worker enforces on this machine (starts one)."""
        with self._worker() as worker:
            return worker.enforced

    @contextmanager
    def _worker(self) -> Iterator[Worker]:
        if not self._entries.acquire(blocking=False):
            raise errors.OperationalError("fhe.worker.busy", "too many requests wait", "ask again later")
        try:
            with self._places:
                worker = self._take()
                try:
                    yield worker
                except (errors.MalformedError, errors.RejectedError, errors.UnsupportedError):
                    raise  # said by a worker in good order
                except BaseException:
                    worker.stop()  # it may be in the middle of a message
                    raise
                finally:
                    self._give(worker)
        finally:
            self._entries.release()

    def _take(self) -> Worker:
        with self._lock:
            if self._closed:
                raise errors.OperationalError("fhe.worker.closed", "the pool is closed")
            worker = self._idle.pop()
        if worker is None or not worker.alive:
            if worker is not None:
                worker.stop()
            try:
                worker = Worker(self._memory, self._require)
            except BaseException:
                with self._lock:
                    self._idle.append(None)
                raise
        return worker

    def _give(self, worker: Worker) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(worker)
                return
        worker.stop()

    @staticmethod
    def _checked(plan: EncryptedPlan, answer: list[bytes]) -> tuple[Ciphertexts, float]:
        """The answer that a worker gives, of the form that the plan has, and its processor time."""
        try:
            _, head, ciphertexts = answer
            seconds = float(json.loads(head)["cpu_seconds"])
            bundle = parse_ciphertexts(ciphertexts, answer=True)
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError, errors.FheError):
            raise errors.OperationalError("fhe.worker.garbled", "a worker's answer has not the agreed form") from None
        interface = plan.interface
        expected = (interface.preset, interface.returned, interface.output_level, interface.output_scale)
        if (bundle.preset, bundle.count, bundle.level, bundle.scale) != expected:
            raise errors.OperationalError("fhe.worker.garbled", "a worker's answer is not to this request")
        return bundle, seconds


def _job(plan: EncryptedPlan, keys: bytes) -> dict[str, str]:
    """What to run, by digests."""
    spec = json.dumps(plan.spec, sort_keys=True)
    identity = digest_of(plan.circuit_digest + spec.encode())
    return {"kind": "evaluate", "plan": identity, "keys": digest_of(keys), "spec": spec}
