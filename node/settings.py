# SPDX-License-Identifier: AGPL-3.0-or-later
"""How a node's service is configured: one frozen value, checked when it is made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from node.errors import MalformedError
from node.limits import MAX_MODEL_MEMORY, MAX_REQUEST_BYTES, MAX_TRACE_ELEMENTS, MAX_UPLOAD_BYTES


@dataclass(frozen=True)
class Settings:
    """A node's service.

    Attributes:
        data_dir: keys, models, blobs and, by default, the database.
        database_url: SQLAlchemy URL of the jobs; empty for SQLite in ``data_dir``.
        host, port: where to listen; port 0 takes a free one.
        workers: inferences at a time.
        threads: of onnxruntime per inference; 0 for every core.
        queue: accepted jobs that may wait or run; beyond that, requests get 503.
        uploads: request bodies that may be in memory at a time.
        request_bytes: largest body.
        upload_bytes: largest body of ciphertexts or evaluation keys.
        request_seconds: time in which a body must have come in.
        retention_seconds, retention_jobs: how long, and how many, finished jobs are kept.
        model_memory: bound on the estimated bytes of loaded models.
        max_elements: bound on the elements of all tensors of one execution.
        shutdown_seconds: how long running inferences may take to finish after a signal; later ones run again.
        token_file: file with bearer tokens, a line for each client, one of which every request but ``/health`` must
            carry; ``None`` for none.
        tls_certificate, tls_key: PEM files; both or neither.
    """

    data_dir: Path
    database_url: str = ""
    host: str = "127.0.0.1"
    port: int = 8420
    workers: int = 1
    threads: int = 0
    queue: int = 64
    uploads: int = 8
    request_bytes: int = MAX_REQUEST_BYTES
    upload_bytes: int = MAX_UPLOAD_BYTES
    request_seconds: float = 30.0
    retention_seconds: int = 7 * 24 * 3600
    retention_jobs: int = 100_000
    model_memory: int = MAX_MODEL_MEMORY
    max_elements: int = MAX_TRACE_ELEMENTS
    shutdown_seconds: float = 30.0
    token_file: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None

    def __post_init__(self) -> None:
        least = {
            "workers": 1, "queue": 1, "uploads": 1, "request_bytes": 1024,
            "upload_bytes": 1024, "retention_jobs": 1, "threads": 0,
            "retention_seconds": 1, "model_memory": 1, "max_elements": 1, "port": 0,
        }  # fmt: skip
        for name, minimum in least.items():
            if getattr(self, name) < minimum:
                raise MalformedError("node.settings.malformed", f"{name}: at least {minimum} required")
        if self.port > 65535 or self.request_seconds <= 0 or self.shutdown_seconds < 0:
            raise MalformedError("node.settings.malformed", "a port up to 65535 and positive times required")
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise MalformedError("node.settings.malformed", "tls_certificate and tls_key go together")

    @property
    def database(self) -> str:
        """The URL that counts."""
        return self.database_url or f"sqlite:///{self.data_dir / 'jobs.db'}"
