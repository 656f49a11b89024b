# SPDX-License-Identifier: AGPL-3.0-or-later
"""The application: parts from settings, paths around them, the gate around everything."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from verifier.service import times
from verifier.service.errors import malformed
from verifier.service.gate import Gate, as_refusal, render
from verifier.service.routes import appraisals, enrolments, models, operations, records, verify
from verifier.service.settings import Settings
from verifier.service.startup import Clock, assemble

_DESCRIPTION = """Verifies affidavits and keeps what it saw.

Refusals are always `{code, message, remedy}`. A verdict about an affidavit is never an HTTP error.
"""


def create_app(settings: Settings, *, clock: Clock = times.now) -> FastAPI:
    """An ASGI application for one service.

    Args:
        settings: see :class:`Settings`; files are read and the database is opened here, once.
        clock: the service's time, aware; tests give their own.

    Raises:
        OperationalError: the service cannot start; see :func:`verifier.service.startup.assemble`.
    """
    parts = assemble(settings, clock)
    limits = parts.limits

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            parts.close()

    app = FastAPI(
        title="Affidavit verifier",
        version=parts.verification.version,
        description=_DESCRIPTION,
        license_info={"name": "AGPL-3.0-or-later", "identifier": "AGPL-3.0-or-later"},
        docs_url=None,  # the page would load scripts from somebody else's server
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.state.parts = parts
    for room in (verify, appraisals, records, models, enrolments, operations):
        app.include_router(room.make_router(parts))

    async def refused(request: Request, error: Exception) -> Response:
        refusal = as_refusal(error)
        parts.metrics.refusals.labels(refusal.code).inc()
        return render(refusal)

    async def invalid(request: Request, error: Exception) -> Response:
        if not isinstance(error, RequestValidationError):
            raise error
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return await refused(request, malformed(f"{place[:120]}: {str(first['msg'])[:200]}"))

    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_middleware(
        Gate,
        metrics=parts.metrics,
        requests=limits.requests,
        body_bytes={
            ("POST", "/v1/appraisals"): limits.evidence_bytes,
            ("POST", "/v1/verify"): limits.affidavit_bytes,
            ("PUT", "/v1/models"): limits.circuit_bytes,
        },
        document_bytes=limits.document_bytes,
        body_seconds=limits.body_seconds,
    )
    return app
