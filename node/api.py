# SPDX-License-Identifier: AGPL-3.0-or-later
"""The node over HTTP: submit, look, fetch. Thin: every decision is the service's.

``create_app`` gives an ASGI application; :mod:`node.serve` runs it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI, Path, Query, Request, Response, Security
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse
from fastapi.security import HTTPBearer
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from node import schemas
from node.channel import channel_bindings, exporter_of
from node.errors import MalformedError, NodeError, OperationalError, UnsupportedError
from node.guard import CLIENT, Guard
from node.jobs import Job
from node.metrics import Metrics
from node.refusals import body_of, headers_of, status_of
from node.service import Service
from node.tenseal import Wish

AFFIDAVIT_TYPE = "application/vnd.affidavit+zip"
BINARY_TYPE = "application/octet-stream"

JobId = Annotated[
    str,
    Path(alias="id", pattern="^[0-9a-f]{32}$", min_length=32, max_length=32, description="from submitting"),
]
Digest = Annotated[str, Path(pattern="^[0-9a-f]{64}$", min_length=64, max_length=64, description="circuit digest")]
Challenge = Annotated[
    str,
    Query(pattern="^[0-9a-f]{64}$", min_length=64, max_length=64, description="32 bytes, drawn by the caller"),
]


def _refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    meanings = {
        400: "malformed or contradictory",
        401: "no token, or not the node's",
        404: "not here",
        408: "the body came in too slowly",
        409: "not in this state",
        413: "too large",
        429: "this client's share is full; try again after Retry-After",
        500: "the node's own fault",
        503: "not now; try again after Retry-After",
    }
    return {status: {"model": schemas.ErrorBody, "description": meanings[status]} for status in sorted(statuses)}


def _binary(media_type: str, what: str) -> dict[int | str, dict[str, Any]]:
    schema = {"type": "string", "format": "binary"}
    return {200: {"description": what, "content": {media_type: {"schema": schema}}}}


class _Routes:
    """Handlers over one service."""

    def __init__(self, service: Service, metrics: Metrics) -> None:
        self._service, self._metrics = service, metrics

    async def submit(self, request: Request, response: Response) -> schemas.JobBody:
        """Ask for one inference. Sending the same body again gives the same job; 202 means that it is on disk."""
        job = await run_in_threadpool(self._service.submit, await request.body())
        body = _job_body(job)
        response.headers["location"] = body.status_url
        return body

    async def upload(self, request: Request) -> schemas.UploadBody:
        """Send ciphertexts or evaluation keys ahead, once for all requests of a session; TenSEAL's, too."""
        node = self._service.node
        incoming = await run_in_threadpool(node.uploads.begin)
        try:
            async for piece in request.stream():
                await run_in_threadpool(incoming.write, piece)
            digest = await run_in_threadpool(node.keep, incoming, request.scope[CLIENT])
        except ClientDisconnect:
            raise MalformedError("request.body.malformed", "the client went away before the end of the body") from None
        finally:
            await run_in_threadpool(incoming.__exit__, None, None, None)
        return schemas.UploadBody(sha256=digest.hex(), bytes=incoming.size)

    def job(self, job: JobId) -> schemas.JobBody:
        """State of a job."""
        return _job_body(self._service.job(job))

    def affidavit(self, job: JobId) -> Response:
        """The affidavit of a job that is done. Verify it before believing anything in it."""
        return Response(self._service.affidavit(job), media_type=AFFIDAVIT_TYPE)

    def sealed_answer(self, job: JobId) -> Response:
        """The answer of a sealed request, for its reply key (sealed-answer@v1)."""
        return Response(self._service.sealed_answer(job), media_type=BINARY_TYPE)

    def keys(
        self, request: Request, challenge: Challenge, channel_binding: schemas.ChannelBinding | None = None
    ) -> schemas.KeysBody:
        """The node's public keys, signed and with evidence over the caller's challenge.

        With `channel_binding`, over this TLS connection too (channel@v1): needs TLS 1.3 with this node itself.
        """
        exporter = None if channel_binding is None else exporter_of(request.scope)
        identity = self._service.node.identify(bytes.fromhex(challenge), exporter)
        return schemas.KeysBody(
            signing=identity.keys.signing.hex(),
            sealing=identity.keys.sealing.hex(),
            challenge=challenge,
            signature=identity.signature.hex(),
            evidence=[
                schemas.EvidenceBody(
                    type=piece.type,
                    members={name: base64.b64encode(part).decode() for name, part in piece.members.items()},
                )
                for piece in identity.evidence
            ],
            channel_binding=channel_binding,
        )

    def models(self) -> schemas.ModelsBody:
        """The models that this node runs."""
        models = [schemas.ModelBody.model_validate(model.as_json()) for model in self._service.node.models.list()]
        return schemas.ModelsBody(models=models)

    def model(self, digest: Digest) -> Response:
        """A circuit file (circuit@v1)."""
        return FileResponse(self._service.node.models.path(bytes.fromhex(digest)), media_type=BINARY_TYPE)

    def outline(self, digest: Digest) -> Response:
        """A circuit without its weights (proof@v1): what a client needs of a model that it may ask and not have."""
        return Response(self._service.node.outline(bytes.fromhex(digest)), media_type=BINARY_TYPE)

    def tenseal(
        self,
        request: Request,
        digest: Digest,
        samples: Annotated[int, Query(ge=1, le=65536)] = 1,
        scheme: Annotated[Literal["bfv", "ckks", ""], Query(description="bfv is exact; either by default")] = "",
        preset: Annotated[str, Query(pattern="^[a-z0-9-]{0,32}$", max_length=32)] = "",
        protected: Annotated[Literal["true", "false"], Query(description="replies hide the weights")] = "false",
        first: Annotated[int | None, Query(ge=0, le=65536)] = None,
        last: Annotated[int | None, Query(ge=0, le=65536)] = None,
    ) -> schemas.TensealPlanBody:
        """How a client that only has TenSEAL encrypts for a model, and reads the answer."""
        if unknown := sorted(request.query_params.keys() - set(Wish.__dataclass_fields__)):
            # A misspelt `protected` must not give a plan that protects nothing.
            raise MalformedError(
                "request.parameter.malformed",
                f"query: {unknown[0][:40]!r} is no parameter of a plan",
                remedy=f"{', '.join(Wish.__dataclass_fields__)} are",
            )
        wish = Wish(samples, scheme, preset, protected == "true", first, last)
        plan = self._service.node.tenseal_plan(bytes.fromhex(digest), wish)
        return schemas.TensealPlanBody.model_validate(plan)

    def health(self, request: Request) -> schemas.HealthBody:
        """Whether the service and its database answer."""
        self._service.jobs.ping()
        node = self._service.node
        return schemas.HealthBody(
            status="ok",
            evidence=node.evidence,
            simulated=node.simulated,
            pending=self._service.jobs.pending(),
            queue=self._service.settings.queue,
            channel_bindings=channel_bindings(request.scope),
        )

    def metrics(self) -> Response:
        """Counters and durations, as Prometheus text."""
        self._metrics.pending.set(self._service.jobs.pending())
        return Response(self._metrics.text(), media_type=CONTENT_TYPE_LATEST)


def create_app(service: Service, metrics: Metrics) -> Guard:
    """The ASGI application over a service whose workers somebody else starts and stops."""
    routes = _Routes(service, metrics)
    # The guard compares the token, before the body is read; this only tells OpenAPI about it.
    bearer = Security(HTTPBearer(auto_error=False, description="the node's token"))
    api = APIRouter(dependencies=[] if service.settings.token_file is None else [bearer])
    api.add_api_route(
        "/v1/inferences",
        routes.submit,
        methods=["POST"],
        status_code=202,
        responses=_refusals(400, 401, 404, 408, 409, 413, 500, 503),
        openapi_extra={"requestBody": {"required": True, "content": _content(schemas.Submission)}},
    )
    octets = {"schema": {"type": "string", "format": "binary"}}
    api.add_api_route(
        "/v1/uploads",
        routes.upload,
        methods=["POST"],
        status_code=201,
        responses=_refusals(400, 401, 408, 413, 429, 500, 503),
        openapi_extra={"requestBody": {"required": True, "content": {BINARY_TYPE: octets}}},
    )
    found = _refusals(400, 401, 404, 500, 503)
    api.add_api_route("/v1/inferences/{id}", routes.job, methods=["GET"], responses=found)
    for path, handler, media_type, what in (
        ("/v1/inferences/{id}/affidavit", routes.affidavit, AFFIDAVIT_TYPE, "the affidavit"),
        ("/v1/inferences/{id}/sealed-answer", routes.sealed_answer, BINARY_TYPE, "the box"),
    ):
        responses = {**_binary(media_type, what), **found, **_refusals(409)}
        api.add_api_route(path, handler, methods=["GET"], responses=responses, response_class=Response)
    api.add_api_route("/v1/keys", routes.keys, methods=["GET"], responses=_refusals(400, 401, 404, 500, 503))
    api.add_api_route("/v1/models", routes.models, methods=["GET"], responses=_refusals(401, 500))
    file = {**_binary(BINARY_TYPE, "the circuit file"), **_refusals(400, 401, 404, 500)}
    api.add_api_route("/v1/models/{digest}", routes.model, methods=["GET"], responses=file, response_class=Response)
    outline = {**_binary(BINARY_TYPE, "the outline"), **_refusals(400, 401, 404, 500)}
    api.add_api_route(
        "/v1/models/{digest}/outline", routes.outline, methods=["GET"], responses=outline, response_class=Response
    )
    api.add_api_route(
        "/v1/models/{digest}/tenseal", routes.tenseal, methods=["GET"], responses=_refusals(400, 401, 404, 500, 503)
    )
    text: dict[int | str, dict[str, Any]] = {
        200: {"description": "Prometheus text", "content": {"text/plain": {"schema": {"type": "string"}}}}
    }
    api.add_api_route(
        "/metrics",
        routes.metrics,
        methods=["GET"],
        responses={**text, **_refusals(401, 500, 503)},
        response_class=Response,
    )
    app = _Api(title="Affidavit node", version="1", docs_url=None, redoc_url=None)
    app.include_router(api)
    app.add_api_route("/health", routes.health, methods=["GET"], responses=_refusals(500, 503))
    for kind in (NodeError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, _on_error)
    return Guard(app, service.settings, metrics)


class _Api(FastAPI):
    """FastAPI documents a 422 that this service never sends; and the submission is described, not parsed, by it."""

    def openapi(self) -> dict[str, Any]:
        fresh = self.openapi_schema is None
        document = super().openapi()
        if fresh:
            for operations in document["paths"].values():
                for operation in operations.values():
                    operation["responses"].pop("422", None)
            schemas_ = document["components"]["schemas"]
            schemas_ |= _schemas(schemas.Submission)
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas_.pop(unused, None)
        return document


def _schemas(model: type[schemas.Submission]) -> dict[str, Any]:
    """The schema of a body that is read elsewhere, and those that it refers to, by name."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    for field in schema["properties"].values():
        field.pop("default", None)
        for alternative in field.pop("anyOf", ()):  # what may be left out is never null
            if alternative != {"type": "null"}:
                field |= alternative
    return {**schema.pop("$defs", {}), model.__name__: schema}


def _content(model: type[schemas.Submission]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}


def _job_body(job: Job) -> schemas.JobBody:
    here = f"/v1/inferences/{job.id}"
    error = None
    if job.error_code is not None:
        error = schemas.ErrorBody(code=job.error_code, message=job.error_message or "", remedy=job.error_remedy or "")
    return schemas.JobBody.model_validate(
        {
            "id": job.id,
            "state": job.state,
            "model": job.model,
            "nonce": job.nonce,
            "received_at": _time(job.received_ms),
            "finished_at": None if job.finished_ms is None else _time(job.finished_ms),
            "error": error,
            "status_url": here,
            "affidavit_url": f"{here}/affidavit" if job.affidavit else None,
            "sealed_answer_url": f"{here}/sealed-answer" if job.sealed else None,
        }
    )


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


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
