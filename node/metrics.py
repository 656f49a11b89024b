# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a node counts and times, in a registry of its own, as Prometheus text."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0)


class Metrics:
    """One per service; nothing global, so several nodes live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "affidavit_node_requests",
            "HTTP requests by route and status",
            ["route", "status"],
            registry=self.registry,
        )
        self.jobs = Counter("affidavit_node_jobs", "Finished jobs by outcome", ["outcome"], registry=self.registry)
        self.pending = Gauge("affidavit_node_pending_jobs", "Jobs that wait or run", registry=self.registry)
        self.stages = Histogram(
            "affidavit_node_stage_seconds",
            "Duration of each stage of an inference",
            ["stage"],
            buckets=_SECONDS,
            registry=self.registry,
        )

    def observe(self, stage: str, seconds: float) -> None:
        """For :class:`node.pipeline.Pipeline`."""
        self.stages.labels(stage).observe(seconds)

    def finished(self, outcome: str) -> None:
        """For :class:`node.workers.Workers`."""
        self.jobs.labels(outcome).inc()

    def text(self) -> bytes:
        """Prometheus text exposition format."""
        return generate_latest(self.registry)
