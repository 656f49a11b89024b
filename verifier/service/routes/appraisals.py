# SPDX-License-Identifier: AGPL-3.0-or-later
"""Appraising a machine's evidence for relying parties."""

from __future__ import annotations

import base64
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from attestation.channel.asgi import channel_of
from attestation.channel.binding import channel_challenge
from attestation.ear.claims import DIALECTS
from attestation.ear.keys import to_jwk
from verifier.service.appraisal_documents import AppraisalRequest, Appraised, Jwk
from verifier.service.appraisals import Appraisals, Question, Signer
from verifier.service.entries import appraisal_entry
from verifier.service.errors import Refusal
from verifier.service.routes.answers import answers, json_answer, reading, writing
from verifier.service.startup import Parts


def make_router(parts: Parts) -> APIRouter:
    router = APIRouter(tags=["appraisals"])

    def enabled() -> tuple[Appraisals, Signer]:
        if parts.appraisals.signer is None:
            raise Refusal(
                404,
                "service.appraisal.disabled",
                "this service has no key for attestation results",
                remedy="start it with an appraisal key",
            )
        return parts.appraisals, parts.appraisals.signer

    @router.get(
        "/v1/appraisals/key",
        summary="The key that signs attestation results",
        dependencies=reading(parts),
        responses=answers(Jwk, 401, 404),
    )
    def key() -> Response:
        return json_answer(to_jwk(enabled()[1].public))

    @router.post(
        "/v1/appraisals",
        summary="Appraise evidence, record the verdict, sign the result",
        dependencies=writing(parts),
        responses=answers(Appraised, 401, 404, 408, 409, 410, 501, 504),
    )
    async def appraise(
        request: Request,
        body: AppraisalRequest,
        ear_dialect: Annotated[Literal["draft", "veraison"], Query()] = "draft",
        ear_format: Annotated[Literal["jwt", "cwt"], Query()] = "jwt",
    ) -> Response:
        """Every verdict is an answer with status 200, also REJECT and MALFORMED.

        `ear_dialect` and `ear_format`: of the signed result, an EAR (draft-ietf-rats-ear).
        """
        arrived = parts.clock()
        appraisals, _ = enabled()
        nonce = None if body.nonce is None else bytes.fromhex(body.nonce)
        question = Question(
            type=body.type,
            data=base64.b64decode(body.evidence),
            collateral=tuple(base64.b64decode(item) for item in body.collateral),
            nonce=nonce,
            challenge=nonce if body.channel_binding is None else _bound(request, nonce),
            policy=parts.verification.policy(body.policy),
            arrived_at=arrived,
        )
        async with parts.workers.slot() as slot:
            seen = await slot.run(lambda: appraisals.decide(question), seconds=parts.limits.verify_seconds)
            row, head = await slot.run(lambda: appraisals.record(seen, parts.clock()))
            document = await slot.run(lambda: appraisals.document(seen, DIALECTS[ear_dialect], ear_format))
        parts.metrics.verdicts.labels(document["verdict"]).inc()
        audit = {"seq": head.seq, "digest": head.digest.hex()}
        said = {**document, "channel_binding": body.channel_binding}
        return json_answer({**said, "record": appraisal_entry(row), "audit": audit})

    return router


def _bound(request: Request, nonce: bytes | None) -> bytes:
    """The challenge that only this TLS connection can have asked."""
    channel = channel_of(request.scope)
    if channel is None or channel.exporter is None:
        over = "without TLS of the service's own" if channel is None else f"over {channel.version}"
        raise Refusal(
            501,
            "service.channel-binding.unsupported",
            f"a request {over}, required TLS 1.3 with the service itself",
            remedy="ask a service that has a TLS certificate directly, without a proxy that ends TLS",
        )
    if nonce is None:
        raise Refusal(
            422,
            "service.channel-binding.nonce-missing",
            "a binding to the TLS connection goes with a nonce",
            remedy="ask for one: POST /v1/nonces",
        )
    return channel_challenge(nonce, channel.exporter)
