# SPDX-License-Identifier: AGPL-3.0-or-later
"""What each path of the node's API does: read the request, ask the service, shape the answer."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import ClientDisconnect

from node import schemas
from node.channel import channel_bindings, exporter_of
from node.errors import MalformedError
from node.guard import CLIENT
from node.jobs import Job
from node.metrics import Metrics
from node.openapi import AFFIDAVIT_TYPE, BINARY_TYPE
from node.service import Service
from node.tenseal import Wish

JobId = Annotated[
    str,
    Path(alias="id", pattern="^[0-9a-f]{32}$", min_length=32, max_length=32, description="from submitting"),
]
Digest = Annotated[str, Path(pattern="^[0-9a-f]{64}$", min_length=64, max_length=64, description="circuit digest")]
Challenge = Annotated[
    str,
    Query(pattern="^[0-9a-f]{64}$", min_length=64, max_length=64, description="32 bytes, drawn by the caller"),
]


class Handlers:
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
