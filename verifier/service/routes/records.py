# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reading what was recorded: verifications, affidavits, facts about nodes, the audit log."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from verifier.errors import OperationalError
from verifier.service import audit
from verifier.service.documents import (
    HEX32,
    MAX_ID,
    Log,
    Node,
    Report,
    VerdictName,
)
from verifier.service.documents import Head as HeadDocument
from verifier.service.documents import Records as RecordsDocument
from verifier.service.entries import verification_entry
from verifier.service.errors import malformed, unknown
from verifier.service.nodes import facts
from verifier.service.routes.answers import PAGE, Limit, answers, json_answer, reading
from verifier.service.startup import Parts

_BYTES = {"schema": {"type": "string", "format": "binary"}}


def _head(head: audit.Head) -> dict[str, Any]:
    return {"seq": head.seq, "digest": head.digest.hex()}


def make_router(parts: Parts) -> APIRouter:
    router = APIRouter(tags=["records"], dependencies=reading(parts))

    @router.get("/v1/verifications/{number}", summary="One verification", responses=answers(Report, 401, 404))
    def verification(number: Annotated[int, Path(ge=1, le=MAX_ID)]) -> Response:
        return json_answer(parts.verification.recall(number))

    @router.get("/v1/verifications", summary="Verifications, newest first", responses=answers(RecordsDocument, 401))
    def verifications(
        node: Annotated[str | None, Query(pattern=HEX32)] = None,
        verdict: VerdictName | None = None,
        limit: Limit = PAGE,
        cursor: Annotated[int | None, Query(ge=1, le=MAX_ID)] = None,
    ) -> Response:
        rows = parts.records.page(node=node, verdict=verdict, before=cursor, limit=limit)
        more = rows[-1].id if len(rows) == limit and rows[-1].id > 1 else None
        return json_answer({"verifications": [verification_entry(row) for row in rows], "next": more})

    @router.get(
        "/v1/affidavits/{sha256}",
        summary="An affidavit's bytes",
        response_class=Response,
        responses={200: {"content": {"application/octet-stream": _BYTES}}, **answers(None, 401, 404)},
    )
    def affidavit(sha256: Annotated[str, Path(pattern=HEX32)]) -> Response:
        if not parts.records.holds_affidavit(sha256):
            raise unknown("affidavit", sha256[:16])
        content = parts.blobs.get(sha256)
        if content is None:
            raise OperationalError("service.blob.missing", f"affidavit {sha256[:16]} is not in the store")
        disposition = f'attachment; filename="{sha256[:16]}.affidavit"'
        return Response(content, media_type="application/octet-stream", headers={"content-disposition": disposition})

    @router.get("/v1/nodes/{key_id}", summary="Facts about a node's key", responses=answers(Node, 401, 404))
    def node(key_id: Annotated[str, Path(pattern=HEX32)]) -> Response:
        found = facts(parts.database, key_id)
        if found is None:
            raise unknown("node", key_id[:16])
        return json_answer(found)

    @router.get("/v1/audit", summary="Entries of the audit log, oldest first", responses=answers(Log, 401))
    def log(
        after: Annotated[int, Query(ge=0, le=MAX_ID)] = 0,
        limit: Limit = PAGE,
    ) -> Response:
        with parts.database.snapshot() as connection:
            found, head = audit.links(connection, after, limit), audit.head(connection)
        try:
            entries = [
                {
                    "seq": link.seq,
                    "kind": kind,
                    "entry": link.entry.decode(),
                    "previous": link.previous.hex(),
                    "digest": link.digest.hex(),
                }
                for kind, link in found
            ]
        except UnicodeDecodeError:
            raise malformed("the log was changed: an entry is no text", remedy="verify the chain") from None
        return json_answer({"entries": entries, "head": _head(head)})

    @router.get("/v1/audit/head", summary="The end of the audit log", responses=answers(HeadDocument, 401))
    def head() -> Response:
        with parts.database.read() as connection:
            return json_answer(_head(audit.head(connection)))

    return router
