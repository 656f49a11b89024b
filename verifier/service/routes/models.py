# SPDX-License-Identifier: AGPL-3.0-or-later
"""Circuits that the service holds."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from verifier.service.catalogue import load
from verifier.service.documents import HEX32, Model, Models
from verifier.service.entries import model_entry
from verifier.service.routes.answers import (
    PAGE,
    Limit,
    answers,
    binary_body,
    json_answer,
    read_bytes,
    reading,
    writing,
)
from verifier.service.startup import Parts


def make_router(parts: Parts) -> APIRouter:
    router = APIRouter(tags=["models"])

    @router.put(
        "/v1/models",
        summary="Give the service a circuit",
        dependencies=writing(parts),
        responses=answers(Model, 401, 408, 415, 504, 507)
        | {
            201: {"model": Model, "description": "Held from now on"},
            200: {"model": Model, "description": "Known"},
        },
        openapi_extra=binary_body("A circuit file (circuit@v1)"),
    )
    async def put(request: Request) -> Response:
        """201 for a new circuit, 200 for one that is held. That it is held makes no policy allow it."""
        async with parts.workers.slot() as slot:
            file = await read_bytes(request)
            circuit = await slot.run(lambda: load(file), seconds=parts.limits.verify_seconds)
            row, new = await slot.run(lambda: parts.catalogue.add(circuit, file, parts.clock()))
        return json_answer(model_entry(row), 201 if new else 200)

    @router.get(
        "/v1/models",
        summary="The circuits, by digest",
        dependencies=reading(parts),
        responses=answers(Models, 401),
    )
    def page(
        after: Annotated[str | None, Query(pattern=HEX32)] = None,
        limit: Limit = PAGE,
    ) -> Response:
        rows = parts.catalogue.page(after=after or "", limit=limit)
        more = rows[-1].circuit if len(rows) == limit else None
        return json_answer({"models": [model_entry(row) for row in rows], "next": more})

    return router
