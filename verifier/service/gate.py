# SPDX-License-Identifier: AGPL-3.0-or-later
"""The outermost layer: bounds, headers, and errors that are always ``{code, message, remedy}``."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping

from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from attestation.errors import EvidenceError
from circuits import CircuitError
from verifier.errors import VerifierError
from verifier.service.errors import Refusal, busy, malformed
from verifier.service.metrics import Metrics

_LOG = logging.getLogger("verifier.service")
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_UNBOUNDED = "/health"


def as_refusal(error: Exception) -> Refusal:
    """Every exception as an answer; what nobody expected is logged and told as ``service.internal``."""
    match error:
        case Refusal():
            return error
        case HTTPException(status_code=404):
            return Refusal(404, "service.path.unknown", "nothing is here", remedy="see /openapi.json")
        case HTTPException(status_code=405):
            headers = error.headers
            return Refusal(405, "service.method.not-allowed", "not this method", headers=headers)
        case HTTPException(status_code=400):
            return malformed(str(error.detail)[:200])
        case HTTPException():
            status, text = error.status_code, str(error.detail)[:200]
            return Refusal(status, "service.request.malformed", text, headers=error.headers)
        case ClientDisconnect():
            return Refusal(400, "service.body.incomplete", "the connection ended inside the body")
        case SQLAlchemyError():
            _LOG.error("database: %s", type(error).__name__, exc_info=error)
            return busy("the database does not answer", code="service.database.unavailable", retry_after=5)
        case VerifierError() | CircuitError() | EvidenceError():
            _LOG.error("%s: %s", error.code, error.message)
            status = 507 if error.code == "service.storage.full" else 500
            return Refusal(status, error.code, error.message, remedy=error.remedy)
    _LOG.error("unexpected %s", type(error).__name__, exc_info=error)
    return Refusal(500, "service.internal", "the service failed; nothing was decided about the affidavit")


def render(refusal: Refusal) -> Response:
    """The HTTP answer of a refusal."""
    body = json.dumps(refusal.document).encode()
    return Response(body, refusal.status_code, dict(refusal.headers or {}), "application/json")


class Gate:
    """ASGI middleware around everything else.

    Args:
        app: the application.
        metrics: where requests and refusals are counted.
        requests: requests served at a time; further ones get ``service.busy`` (503), except ``/health``.
        body_bytes: largest body by (method, path); the others may have ``document_bytes``.
        document_bytes: see there.
        body_seconds: a body must have arrived within this time.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        requests: int,
        body_bytes: Mapping[tuple[str, str], int],
        document_bytes: int,
        body_seconds: float,
    ) -> None:
        self._app, self._metrics, self._requests = app, metrics, requests
        self._body_seconds = body_seconds
        self._body_bytes, self._document_bytes = body_bytes, document_bytes
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status: list[int] = []

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                status.append(message["status"])
                present = {name.lower() for name, _ in message["headers"]}
                fixed = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                extra = [pair for pair in fixed if pair[0] not in present]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        self._inside += 1
        try:
            if self._inside > self._requests and scope["path"] != _UNBOUNDED:
                raise busy(f"{self._requests} requests are being served")
            limit = self._body_bytes.get((scope["method"], scope["path"]), self._document_bytes)
            await self._app(scope, _bounded(scope, receive, limit, self._body_seconds), sending)
        except Exception as error:
            refusal = as_refusal(error)
            if status:  # too late for another answer; the server closes the connection
                raise
            await render(self.refused(refusal))(scope, receive, sending)
        finally:
            self._inside -= 1
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.requests.labels(method, route, str(status[0] if status else 0)).inc()

    def refused(self, refusal: Refusal) -> Refusal:
        """Count a refusal."""
        self._metrics.refusals.labels(refusal.code).inc()
        return refusal


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _bounded(scope: Scope, receive: Receive, limit: int, seconds: float) -> Receive:
    """``receive`` that refuses a body that is too large or too slow.

    A stated length beyond ``limit`` is refused at once, an unstated one while it comes.
    """
    stated = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    too_large = Refusal(413, "service.body.too-large", f"a body of at most {limit} bytes is taken here")
    if stated.isdigit() and (len(stated) > 18 or int(stated) > limit):
        raise too_large
    deadline = asyncio.get_running_loop().time() + seconds
    seen, complete = 0, False

    async def receiving() -> Message:
        nonlocal seen, complete
        if complete:  # what may still come is the news that the client has gone
            return await receive()
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise Refusal(408, "service.body.timeout", f"the body did not arrive within {seconds:g} s") from None
        seen += len(message.get("body", b""))
        complete = not message.get("more_body", False)
        if seen > limit:
            raise too_large
        return message

    return receiving
