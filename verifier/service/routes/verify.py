# SPDX-License-Identifier: AGPL-3.0-or-later
"""Asking for a verdict, and the nonces and policies to ask with."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from verifier.service.documents import HEX32, Nonce, Policies, Verified
from verifier.service.errors import malformed
from verifier.service.routes.answers import answers, binary_body, json_answer, read_bytes, reading, writing
from verifier.service.startup import Parts
from verifier.service.times import to_text, to_ticks
from verifier.service.verification import Question

_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})$"

_YEARS = (1970, 9000)

Hex = Annotated[str | None, Query(pattern=HEX32)]
At = Annotated[str | None, Query(pattern=_TIME, examples=["2026-11-21T10:00:00Z"])]


def _time(text: str) -> datetime:
    # A pattern matches before the end of a trailing line break too; fromisoformat takes more than RFC 3339.
    if not re.fullmatch(_TIME, text):
        raise malformed("at: expected a time like 2026-11-21T10:00:00Z")
    try:
        at = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise malformed("at: no such time") from None
    if not _YEARS[0] <= at.year <= _YEARS[1]:
        raise malformed(f"at: a time in the years {_YEARS[0]} to {_YEARS[1]} is required")
    return at


def make_router(parts: Parts) -> APIRouter:
    router = APIRouter(tags=["verify"])

    @router.post(
        "/v1/verify",
        summary="Verify an affidavit and record the verdict",
        dependencies=writing(parts),
        responses=answers(Verified, 401, 404, 408, 409, 410, 415, 504, 507),
        openapi_extra=binary_body("The affidavit file"),
    )
    async def verify(
        request: Request,
        nonce: Hex = None,
        input_: Annotated[str | None, Query(pattern=HEX32, alias="input")] = None,
        model: Hex = None,
        policy: Hex = None,
        at: At = None,
    ) -> Response:
        """Every verdict is an answer with status 200, also REJECT and MALFORMED.

        `nonce`: the nonce of the request, drawn by the client or by `POST /v1/nonces`. `input`: commitment to
            the
        input that was sent. `model`: digest of the circuit that was asked for; the service must hold it.
        `policy`: id of one of the service's policies. `at`: the time for which to ask, by default now.
        """
        arrived = parts.clock()
        question = Question(
            nonce=None if nonce is None else bytes.fromhex(nonce),
            input=None if input_ is None else bytes.fromhex(input_),
            model=model,
            policy=policy,
            at=arrived if at is None else _time(at),
            arrived_at=arrived,
        )
        async with parts.workers.slot() as slot:
            affidavit = await read_bytes(request)
            started = time.perf_counter()
            seen = await slot.run(
                lambda: parts.verification.decide(affidavit, question), seconds=parts.limits.verify_seconds
            )
            document = await slot.run(lambda: parts.verification.record(seen, parts.clock()))
        parts.metrics.seconds.observe(time.perf_counter() - started)
        parts.metrics.verdicts.labels(document["verdict"]).inc()
        parts.metrics.reused.inc(len(document["findings"]))
        return json_answer(document)

    @router.post(
        "/v1/nonces",
        status_code=201,
        summary="Mint a nonce for one request",
        dependencies=writing(parts),
        responses=answers(Nonce, 401, status=201),
    )
    def mint() -> Response:
        nonce, expires = parts.nonces.mint(parts.clock())
        return json_answer({"nonce": nonce.hex(), "expires": to_text(to_ticks(expires))}, 201)

    @router.get(
        "/v1/policies",
        summary="The policies that can be asked for",
        dependencies=reading(parts),
        responses=answers(Policies, 401),
    )
    def policies() -> Response:
        return json_answer(
            {
                "policies": [
                    {
                        "id": key,
                        "name": policy.name,
                        "profile": policy.profile,
                        "assurance": list(policy.assurance),
                    }
                    for key, policy in parts.policies.items()
                ]
            }
        )

    return router
