# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the routes share: declared refusals, who may call, how a JSON answer is made."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from fastapi.responses import Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel

from verifier.service.documents import Problem
from verifier.service.errors import Refusal
from verifier.service.startup import Parts

Answers = dict[int | str, dict[str, Any]]

_ALWAYS = (413, 422, 500, 503)
_MEANINGS = {
    401: "The token is missing or wrong",
    403: "A check on what was sent is false",
    404: "Not held here",
    408: "The body did not arrive in time",
    409: "Used already",
    410: "Expired",
    413: "Body too large",
    415: "Body of another media type",
    422: "A parameter or the body is outside its grammar",
    500: "The service failed",
    501: "Not supported here",
    503: "Busy, or the database does not answer; see Retry-After",
    504: "Not finished in time; nothing was recorded",
    507: "No room left",
}

PAGE, MAX_PAGE = 50, 500
"""Rows in one answer: by default, and at most."""
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]

_BEARER = HTTPBearer(auto_error=False, description="The service's token, where it has one")
Shown = Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]


def answers(ok: type[BaseModel] | None = None, *refusals: int, status: int = 200) -> Answers:
    """The ``responses`` of a route: its answer's shape, and every refusal it may give."""
    declared: Answers = {
        code: {"model": Problem, "description": _MEANINGS[code]} for code in sorted({*_ALWAYS, *refusals})
    }
    if ok is not None:
        declared[status] = {"model": ok}
    return declared


def writing(parts: Parts) -> list[Any]:
    """Dependencies of routes that change something."""
    return [] if parts.gatekeeper.open else [_token(parts)]


def reading(parts: Parts) -> list[Any]:
    """Dependencies of routes that show what is stored."""
    return [] if parts.public_reads else writing(parts)


def _token(parts: Parts) -> Any:
    def check(shown: Shown) -> None:
        parts.gatekeeper.check(shown.credentials if shown else None)

    return Depends(check)


def binary_body(description: str) -> dict[str, Any]:
    """``openapi_extra`` of a route whose body is bytes."""
    schema = {"type": "string", "format": "binary"}
    content = {"application/octet-stream": {"schema": schema}}
    return {"requestBody": {"required": True, "description": description, "content": content}}


async def read_bytes(request: Request) -> bytes:
    """The body as bytes; its size and time are bounded by the gate.

    Raises:
        Refusal: ``service.media-type.unsupported`` (415) for anything but ``application/octet-stream``, which
            no web page can send to another site without being allowed to.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/octet-stream":
        raise Refusal(
            415,
            "service.media-type.unsupported",
            f"media type {media_type[:60]!r}, application/octet-stream required",
        )
    return b"".join([chunk async for chunk in request.stream()])


def json_answer(document: Any, status: int = 200) -> Response:
    """A JSON answer of a document that was built here, not validated twice."""
    # ASCII: text out of evidence may hold what UTF-8 cannot say.
    return Response(json.dumps(document, allow_nan=False), status, media_type="application/json")
