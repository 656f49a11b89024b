# SPDX-License-Identifier: AGPL-3.0-or-later
"""Threads that take one accepted job after the other and run it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from node.errors import NodeError, OperationalError
from node.jobs import Job
from node.service import Service
from node.submission import parse_submission

_LOG = logging.getLogger("node")
IDLE_SECONDS = 1.0
SWEEP_SECONDS = 60.0
SAVE_ATTEMPTS = 5


class Workers:
    """Start with :meth:`start`; :meth:`stop` lets running jobs finish and leaves the queue on disk.

    Args:
        service: whose jobs.
        count: threads.
        finished: called with ``done`` or ``failed`` after each job.
    """

    def __init__(self, service: Service, count: int, *, finished: Callable[[str], None] = lambda state: None) -> None:
        self._service, self._finished = service, finished
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, name=f"node-worker-{index}", daemon=True) for index in range(count)
        ]
        self._swept = time.monotonic()

    def start(self) -> None:
        """Begin with what is queued."""
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float) -> bool:
        """Take no more jobs; wait for running ones. Returns whether all finished; the rest run again next time."""
        self._stopping.set()
        with self._service.arrived:
            self._service.arrived.notify_all()
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while not self._stopping.is_set():
            try:
                job = self._service.jobs.claim()
                if job is not None:
                    self._run(job)
                self._sweep()
            except NodeError as error:
                # The database or the disk is in trouble; the job, if there was one, runs again after a restart.
                _LOG.error("worker: %s: %s", error.code, error.message)
                self._stopping.wait(IDLE_SECONDS)
                continue
            if job is None:
                with self._service.arrived:
                    if not self._stopping.is_set():
                        self._service.arrived.wait(IDLE_SECONDS)

    def _run(self, job: Job) -> None:
        service = self._service
        try:
            request = parse_submission(service.blobs.get(job.body))
            received = datetime.fromtimestamp(job.received_ms / 1000, UTC)
            answered = service.node.run(request, received_at=received)
        except NodeError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - one job must not take the worker with it
            # Neither text nor traceback: both could hold what was in a sealed input.
            _LOG.error("job %s: unexpected %s", job.id, type(error).__name__)
            failure = OperationalError("node.internal", "the node failed while running this request")
        else:
            self._save(lambda: service.finish(job, answered.affidavit, answered.sealed))
            self._finished("done")
            return
        self._save(lambda: service.fail(job, failure))
        self._finished("failed")

    def _save(self, save: Callable[[], None]) -> None:
        """A result is worth some patience with a busy disk or database."""
        for attempt in range(SAVE_ATTEMPTS):
            try:
                save()
                return
            except NodeError:
                if attempt == SAVE_ATTEMPTS - 1 or self._stopping.wait(0.2 * 2**attempt):
                    raise

    def _sweep(self) -> None:
        if time.monotonic() - self._swept >= SWEEP_SECONDS:
            self._swept = time.monotonic()
            self._service.sweep()
