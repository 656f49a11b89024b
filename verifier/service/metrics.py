# SPDX-License-Identifier: AGPL-3.0-or-later
"""Counters for Prometheus, in a registry of the service's own."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """Labels take only values from fixed sets: route templates, statuses, verdicts, codes."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "affidavit_verifier_requests",
            "Requests answered",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.verdicts = Counter("affidavit_verifier_verdicts", "Verdicts recorded", ["verdict"], registry=self.registry)
        self.refusals = Counter(
            "affidavit_verifier_refusals", "Requests not carried out", ["code"], registry=self.registry
        )
        self.reused = Counter(
            "affidavit_verifier_nonces_reused", "Receipts under a nonce seen before", registry=self.registry
        )
        self.seconds = Histogram(
            "affidavit_verifier_verify_seconds",
            "From the last byte of an affidavit to its committed verdict",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.busy = Gauge("affidavit_verifier_slots_taken", "Verification slots in use", registry=self.registry)
