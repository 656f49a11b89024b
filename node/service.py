# SPDX-License-Identifier: AGPL-3.0-or-later
"""Accepted work: a request is on disk before it is acknowledged, and stays until it is answered or refused."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import secrets
import threading
from datetime import datetime

from node.blobs import Blobs, FolderBlobs
from node.errors import NodeError, OperationalError, RejectedError, UnsupportedError
from node.jobs import DONE, FAILED, QUEUED, Job, JobStore
from node.limits import MAX_ATTEMPTS
from node.node import Node
from node.request import EncryptedReference, Request
from node.settings import Settings
from node.submission import parse_submission
from verifier.keys import key_id

_LOG = logging.getLogger("node")
RETRY_SECONDS = 2


def milliseconds(time: datetime) -> int:
    """Since 1970 (UTC)."""
    return int(time.timestamp() * 1000)


class Service:
    """Jobs in front of a :class:`Node`; :mod:`node.workers` runs them.

    Args:
        node: who computes.
        settings: limits, database and retention.
        blobs: where bytes lie; by default a folder in the data directory.
    """

    def __init__(self, node: Node, settings: Settings, blobs: Blobs | None = None) -> None:
        self.node, self.settings = node, settings
        self.blobs = blobs or FolderBlobs(settings.data_dir / "blobs")
        self.jobs = JobStore(settings.database, key_id(node.keys.signing))
        self.arrived = threading.Condition()
        self._submitting = threading.Lock()
        self._named: dict[str, tuple[bytes, bytes]] = {}  # uploads that unfinished jobs name, by job
        self._admissions = threading.BoundedSemaphore(settings.uploads)

    def recover(self) -> None:
        """Once, before any worker starts: pick up what a crash left, and drop bytes that no job needs."""
        for job in self.jobs.requeue(most_attempts=MAX_ATTEMPTS):
            error = OperationalError(
                "node.job.abandoned",
                f"the node went down {job.attempts} times while running this request",
                remedy="send a smaller batch, or tell the node's operator",
            )
            self.fail(job, error)
        for job in self.jobs.unfinished():
            with contextlib.suppress(NodeError):  # it is said when the job runs
                self._need(job.id, parse_submission(self.blobs.get(job.body)))
        self.sweep()
        kept = self.jobs.referenced()
        for digest in self.blobs.digests():
            if digest not in kept:
                self.blobs.delete(digest)

    def submit(self, body: bytes) -> Job:
        """Accept a request: when this returns, it is on disk.

        The nonce is the key to send it again safely: the same body gets the same job.

        Raises:
            MalformedError: ``request.*``, ``input.*``.
            RejectedError: ``request.nonce.reused``, ``request.sealed.*``.
            UnsupportedError: ``request.model.unknown``.
            OperationalError: ``node.queue.full``, ``node.store.failed``, ``node.blobs.*``, ``node.model.*``.
        """
        with self._admissions:  # decoding takes many times the body's own memory
            return self._submit(body)

    def _submit(self, body: bytes) -> Job:
        request = parse_submission(body)
        nonce, digest = request.nonce.hex(), hashlib.sha256(body).hexdigest()
        known = self._known(nonce, digest)
        if known is not None:
            return known
        self._check_room()  # before the work of admitting
        self.node.admit(request)
        with self._submitting:
            known = self._known(nonce, digest)
            if known is not None:
                return known
            self._check_room()
            job = Job(
                secrets.token_hex(16),
                key_id(self.node.keys.signing),
                nonce,
                request.model.hex(),
                digest,
                QUEUED,
                0,
                milliseconds(self.node.clock()),
            )
            self.blobs.put(body)
            self._need(job.id, request)
            try:
                self.jobs.add(job)
            except NodeError:
                self._release(job.id)
                self.blobs.delete(digest)
                raise
        with self.arrived:
            self.arrived.notify()
        return job

    def job(self, job_id: str) -> Job:
        """Raises ``request.job.unknown``."""
        found = self.jobs.find(job_id)
        if found is None:
            raise UnsupportedError(
                "request.job.unknown",
                f"no job {job_id[:32]!r} at this node",
                remedy="jobs are forgotten after the node's retention time; send the request again",
            )
        return found

    def affidavit(self, job_id: str) -> bytes:
        """The affidavit of a job that is done; raises ``request.job.*``, ``node.blobs.*``."""
        job = self._done(job_id)
        return self.blobs.get(job.affidavit or "")

    def sealed_answer(self, job_id: str) -> bytes:
        """The sealed answer; raises ``request.job.not-sealed`` where the request was in clear."""
        job = self._done(job_id)
        if job.sealed is None:
            raise UnsupportedError(
                "request.job.not-sealed",
                "the request was in clear: its answer is in the affidavit",
                remedy="fetch the affidavit",
            )
        return self.blobs.get(job.sealed)

    def finish(self, job: Job, affidavit: bytes, sealed: bytes | None) -> None:
        """Keep the results, then say that they are there."""
        kept = self.blobs.put(affidavit)
        box = None if sealed is None else self.blobs.put(sealed)
        self.jobs.finish(job.id, affidavit=kept, sealed=box, at_ms=milliseconds(self.node.clock()))
        self._release(job.id)
        self.blobs.delete(job.body)

    def fail(self, job: Job, error: NodeError) -> None:
        """Say why there will be no result."""
        _LOG.warning("job %s failed: %s", job.id, error.code)
        self.jobs.fail(job.id, error, at_ms=milliseconds(self.node.clock()))
        self._release(job.id)
        self.blobs.delete(job.body)

    def sweep(self) -> None:
        """Forget finished jobs beyond the retention limits."""
        before = milliseconds(self.node.clock()) - 1000 * self.settings.retention_seconds
        gone = self.jobs.expire(before_ms=before, keep=self.settings.retention_jobs)
        for job in gone:
            for digest in (job.affidavit, job.sealed):
                if digest is not None:
                    self.blobs.delete(digest)

    def close(self) -> None:
        """Close the database; the node stays open."""
        self.jobs.close()

    def _need(self, job_id: str, request: Request) -> None:
        """What an accepted request names must not be forgotten before it has run, however long the queue is."""
        if isinstance(request.payload, EncryptedReference):
            self._named[job_id] = (request.payload.ciphertexts, request.payload.keys)
            self.node.uploads.need(self._named[job_id])

    def _release(self, job_id: str) -> None:
        self.node.uploads.release(self._named.pop(job_id, ()))

    def _known(self, nonce: str, digest: str) -> Job | None:
        job = self.jobs.find_nonce(nonce)
        if job is not None and job.body != digest:
            raise RejectedError(
                "request.nonce.reused",
                f"nonce {nonce[:16]} came with another request before",
                remedy="draw a new nonce for each request",
            )
        return job

    def _check_room(self) -> None:
        if self.jobs.pending() >= self.settings.queue:
            raise OperationalError(
                "node.queue.full",
                f"{self.settings.queue} requests wait or run already",
                remedy="send it again after the time in Retry-After, or to another node",
            )

    def _done(self, job_id: str) -> Job:
        job = self.job(job_id)
        if job.state == FAILED:
            raise RejectedError(
                "request.job.failed",
                f"the job failed: {job.error_code}: {job.error_message}",
                remedy=job.error_remedy or "",
            )
        if job.state != DONE:
            raise RejectedError("request.job.unfinished", f"the job is {job.state}", remedy="ask again later")
        return job
