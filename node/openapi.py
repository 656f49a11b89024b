# SPDX-License-Identifier: AGPL-3.0-or-later
"""How the node's API describes itself: answers and refusals by status, bodies that FastAPI does not read itself."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from node import schemas

AFFIDAVIT_TYPE = "application/vnd.affidavit+zip"
BINARY_TYPE = "application/octet-stream"


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals that a path may answer with."""
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


def binary(media_type: str, what: str) -> dict[int | str, dict[str, Any]]:
    """A successful answer that is bytes."""
    schema = {"type": "string", "format": "binary"}
    return {200: {"description": what, "content": {media_type: {"schema": schema}}}}


def content(model: type[schemas.Submission]) -> dict[str, Any]:
    """A JSON body by the name of its schema."""
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}


class Api(FastAPI):
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
