# SPDX-License-Identifier: AGPL-3.0-or-later
"""For whoever runs the service: is it well, and what is it doing."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from verifier.service.documents import Health
from verifier.service.routes.answers import answers, json_answer, reading
from verifier.service.schema import SCHEMA_VERSION
from verifier.service.startup import Parts


def make_router(parts: Parts) -> APIRouter:
    router = APIRouter(tags=["operations"])

    @router.get("/health", summary="Does the service answer", responses=answers(Health))
    def health() -> Response:
        """503 when the database does not answer."""
        parts.database.ping()
        return json_answer(
            {
                "status": "ok",
                "version": parts.verification.version,
                "schema_version": SCHEMA_VERSION,
                "enrolment": parts.enrolments is not None,
            }
        )

    @router.get(
        "/metrics",
        summary="Counters in Prometheus' text format",
        response_class=Response,
        dependencies=reading(parts),
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **answers(None, 401)},
    )
    def metrics() -> Response:
        parts.metrics.busy.set(parts.workers.taken)
        return Response(generate_latest(parts.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return router
