# SPDX-License-Identifier: AGPL-3.0-or-later
"""The node over HTTP: submit, look, fetch. Thin: every decision is the service's.

``create_app`` gives an ASGI application; :mod:`node.serve` runs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response, Security
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException

from node import schemas
from node.errors import MalformedError, NodeError, OperationalError, UnsupportedError
from node.guard import Guard
from node.handlers import Handlers
from node.metrics import Metrics
from node.openapi import AFFIDAVIT_TYPE, BINARY_TYPE, Api, binary, content, refusals
from node.refusals import body_of, headers_of, status_of
from node.service import Service


def create_app(service: Service, metrics: Metrics) -> Guard:
    """The ASGI application over a service whose workers somebody else starts and stops."""
    handlers = Handlers(service, metrics)
    # The guard compares the token, before the body is read; this only tells OpenAPI about it.
    bearer = Security(HTTPBearer(auto_error=False, description="the node's token"))
    api = APIRouter(dependencies=[] if service.settings.token_file is None else [bearer])
    api.add_api_route(
        "/v1/inferences",
        handlers.submit,
        methods=["POST"],
        status_code=202,
        responses=refusals(400, 401, 404, 408, 409, 413, 500, 503),
        openapi_extra={"requestBody": {"required": True, "content": content(schemas.Submission)}},
    )
    octets = {"schema": {"type": "string", "format": "binary"}}
    api.add_api_route(
        "/v1/uploads",
        handlers.upload,
        methods=["POST"],
        status_code=201,
        responses=refusals(400, 401, 408, 413, 429, 500, 503),
        openapi_extra={"requestBody": {"required": True, "content": {BINARY_TYPE: octets}}},
    )
    found = refusals(400, 401, 404, 500, 503)
    api.add_api_route("/v1/inferences/{id}", handlers.job, methods=["GET"], responses=found)
    for path, handler, media_type, what in (
        ("/v1/inferences/{id}/affidavit", handlers.affidavit, AFFIDAVIT_TYPE, "the affidavit"),
        ("/v1/inferences/{id}/sealed-answer", handlers.sealed_answer, BINARY_TYPE, "the box"),
    ):
        responses = {**binary(media_type, what), **found, **refusals(409)}
        api.add_api_route(path, handler, methods=["GET"], responses=responses, response_class=Response)
    api.add_api_route("/v1/keys", handlers.keys, methods=["GET"], responses=refusals(400, 401, 404, 500, 503))
    api.add_api_route("/v1/models", handlers.models, methods=["GET"], responses=refusals(401, 500))
    file = {**binary(BINARY_TYPE, "the circuit file"), **refusals(400, 401, 404, 500)}
    api.add_api_route("/v1/models/{digest}", handlers.model, methods=["GET"], responses=file, response_class=Response)
    outline = {**binary(BINARY_TYPE, "the outline"), **refusals(400, 401, 404, 500)}
    api.add_api_route(
        "/v1/models/{digest}/outline", handlers.outline, methods=["GET"], responses=outline, response_class=Response
    )
    api.add_api_route(
        "/v1/models/{digest}/tenseal", handlers.tenseal, methods=["GET"], responses=refusals(400, 401, 404, 500, 503)
    )
    text: dict[int | str, dict[str, Any]] = {
        200: {"description": "Prometheus text", "content": {"text/plain": {"schema": {"type": "string"}}}}
    }
    api.add_api_route(
        "/metrics",
        handlers.metrics,
        methods=["GET"],
        responses={**text, **refusals(401, 500, 503)},
        response_class=Response,
    )
    app = Api(title="Affidavit node", version="1", docs_url=None, redoc_url=None)
    app.include_router(api)
    app.add_api_route("/health", handlers.health, methods=["GET"], responses=refusals(500, 503))
    for kind in (NodeError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, _on_error)
    return Guard(app, service.settings, metrics)


def _on_error(_: Request, error: Exception) -> Response:
    """Whatever went wrong, as ``{code, message, remedy}``."""
    refusal, headers = _refusal(error)
    return Response(body_of(refusal), status_of(refusal), {**headers_of(refusal), **headers})


def _refusal(error: Exception) -> tuple[NodeError, Mapping[str, str]]:
    match error:
        case NodeError():
            return error, {}
        case RequestValidationError():
            where = ".".join(str(part)[:40] for part in error.errors()[0]["loc"])
            message = f"{where}: not as the API description says"
            return MalformedError("request.parameter.malformed", message), {}
        case HTTPException(status_code=404):
            message = "there is nothing at this path"
            return UnsupportedError("request.path.unknown", message, remedy="see /openapi.json"), {}
        case HTTPException(status_code=405):
            message = "this path does not take that method"
            return MalformedError("request.method.not-allowed", message), error.headers or {}
        case HTTPException() if error.status_code < 500:
            message = f"refused by the HTTP layer with status {error.status_code}"
            return MalformedError("request.malformed", message), {}
    return OperationalError("node.internal", "the node failed on this request"), {}
