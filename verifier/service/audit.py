# SPDX-License-Identifier: AGPL-3.0-or-later
"""The append-only log in the database: append, read, and check against the tables it speaks of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Table, func, insert, select, update

from verifier import strict_json
from verifier.errors import MalformedError, RejectedError
from verifier.service import schema
from verifier.service.blobs import BlobStore
from verifier.service.chain import Link, check_links, link_digest
from verifier.service.database import Database
from verifier.service.entries import appraisal_entry, blobs_of, certificate_entry, model_entry, verification_entry

_BATCH = 500


@dataclass(frozen=True)
class Head:
    """The last link: how many entries there are, and the digest over all of them."""

    seq: int
    digest: bytes


def head(connection: Connection) -> Head:
    """The log's end as this transaction sees it."""
    row = connection.execute(select(schema.audit_head.c.seq, schema.audit_head.c.digest)).one()
    return Head(row.seq, bytes(row.digest))


def append(connection: Connection, kind: str, entry: Mapping[str, Any]) -> Head:
    """Add one entry; only inside :meth:`Database.write`, which holds the head."""
    last = head(connection)
    raw = strict_json.dumps({"kind": kind, **entry})
    seq = last.seq + 1
    digest = link_digest(seq, last.digest, raw)
    connection.execute(insert(schema.audit).values(seq=seq, kind=kind, entry=raw, previous=last.digest, digest=digest))
    connection.execute(update(schema.audit_head).values(seq=seq, digest=digest))
    return Head(seq, digest)


def links(connection: Connection, after: int, limit: int) -> list[tuple[str, Link]]:
    """Up to ``limit`` entries behind number ``after``, each with its kind."""
    table = schema.audit.c
    found = connection.execute(select(schema.audit).where(table.seq > after).order_by(table.seq).limit(limit))
    return [(r.kind, Link(r.seq, bytes(r.entry), bytes(r.previous), bytes(r.digest))) for r in found]


@dataclass(frozen=True)
class _Logged:
    """A table whose every row has exactly one entry: how the row is found, and what its entry says."""

    table: Table
    key: str
    entry: Callable[[Row[Any]], Mapping[str, Any]]
    condition: Any = None


_LOGGED = {
    "verification": _Logged(schema.verifications, "id", verification_entry),
    "appraisal": _Logged(schema.appraisals, "id", appraisal_entry),
    "model": _Logged(schema.models, "circuit", model_entry),
    "certificate": _Logged(schema.enrolments, "id", certificate_entry, schema.enrolments.c.certificate.is_not(None)),
}


def verify_chain(database: Database, blobs: BlobStore | None = None) -> Head:
    """Check the whole log: its links, its head, every row it speaks of, and with ``blobs`` their content too.

    Returns:
        The head, for whoever wants to remember it.

    Raises:
        RejectedError: a code of :func:`verifier.service.chain.check_links`, or
            ``service.audit.head-mismatch`` (entries are missing at the end), ``service.audit.row-mismatch``
            (a row was changed, removed or added), ``service.audit.blob-missing``.
        OperationalError: ``service.blob.corrupt``.
    """
    with database.snapshot() as connection:
        counts = dict.fromkeys(_LOGGED, 0)

        def checked() -> Iterator[Link]:
            for kind, link in _walk(connection):
                yield link
                if kind in _LOGGED:
                    counts[kind] += 1
                    _check_row(connection, kind, link, blobs)

        seq, digest = check_links(checked())
        end = head(connection)
        if (end.seq, end.digest) != (seq, digest):
            raise RejectedError("service.audit.head-mismatch", f"the log ends at entry {seq}, its head says {end.seq}")
        for kind, logged in _LOGGED.items():
            question = select(func.count()).select_from(logged.table)
            if logged.condition is not None:
                question = question.where(logged.condition)
            rows = connection.execute(question).scalar_one()
            if rows != counts[kind]:
                raise RejectedError(
                    "service.audit.row-mismatch", f"{rows} rows of kind {kind}, {counts[kind]} in the log"
                )
    return Head(seq, digest)


def _walk(connection: Connection) -> Iterator[tuple[str, Link]]:
    after = -1
    while batch := links(connection, after, _BATCH):
        yield from batch
        after = batch[-1][1].seq


def _check_row(connection: Connection, kind: str, link: Link, blobs: BlobStore | None) -> None:
    logged = _LOGGED[kind]
    try:
        entry = strict_json.loads(link.entry, code="service.audit.row-mismatch", what=f"entry {link.seq}")
        key = entry[logged.key]
        found_kind = entry["kind"]
    except (MalformedError, KeyError, TypeError):
        raise RejectedError("service.audit.row-mismatch", f"entry {link.seq} is no {kind} entry") from None
    row = connection.execute(select(logged.table).where(logged.table.c[logged.key] == key)).one_or_none()
    if row is None or found_kind != kind or {"kind": kind, **logged.entry(row)} != entry:
        what = "is gone" if row is None else "differs from its entry"
        raise RejectedError("service.audit.row-mismatch", f"entry {link.seq}: the row of {kind} {key} {what}")
    if blobs is None:
        return
    for name, digest in blobs_of(entry).items():
        if blobs.get(digest) is None:
            raise RejectedError(
                "service.audit.blob-missing", f"entry {link.seq}: {name} {digest[:16]} is not in the store"
            )
