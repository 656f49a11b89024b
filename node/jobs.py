# SPDX-License-Identifier: AGPL-3.0-or-later
"""Accepted requests and what became of them, in a database (SQLite in a file by default, any by URL).

::

    queued -> running -> done | failed          a restart turns running back into queued

A row exists before its request is acknowledged. Several nodes may share a database: each sees its own rows alone.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    delete,
    event,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.engine import Row, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError

from node.errors import NodeError, OperationalError

QUEUED, RUNNING, DONE, FAILED = STATES = ("queued", "running", "done", "failed")
BUSY_SECONDS = 15.0

METADATA = MetaData()
JOBS = Table(
    "node_jobs",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("node", String(64), nullable=False),
    Column("nonce", String(64), nullable=False),
    Column("model", String(64), nullable=False),
    Column("body", String(64), nullable=False),
    Column("state", String(8), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("finished_ms", BigInteger),
    Column("affidavit", String(64)),
    Column("sealed", String(64)),
    Column("error_code", String(128)),
    Column("error_message", Text),
    Column("error_remedy", Text),
    UniqueConstraint("node", "nonce"),
    Index("node_jobs_by_state", "node", "state", "received_ms"),
)


@dataclass(frozen=True)
class Job:
    """One accepted request; digests, nonce and model in hex, times in milliseconds since 1970 (UTC).

    Attributes:
        id: 32 random hex digits.
        node: SHA-256 of the signing key of the node whose job it is.
        body: SHA-256 of the request's bytes.
        attempts: how often it was started.
        affidavit, sealed: SHA-256 of the results, where there are any.
        error_code, error_message, error_remedy: of a failed job.
    """

    id: str
    node: str
    nonce: str
    model: str
    body: str
    state: str
    attempts: int
    received_ms: int
    finished_ms: int | None = None
    affidavit: str | None = None
    sealed: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    error_remedy: str | None = None


class JobStore:
    """See the module; safe for several threads.

    Args:
        url: SQLAlchemy URL.
        node: SHA-256 of the node's signing key in hex.

    Raises:
        OperationalError: ``node.store.failed`` whenever the database does.
    """

    def __init__(self, url: str, node: str) -> None:
        self._node = node
        # One writer at a time in this process: SQLite has a single writer anyway, and it must not be kept waiting.
        self._writing = threading.Lock()
        with _translated():
            parsed = make_url(url)
            sqlite = parsed.get_backend_name() == "sqlite"
            if parsed.drivername == "postgresql":
                parsed = parsed.set(drivername="postgresql+psycopg")  # the driver that this project installs
            options: dict[str, Any] = {"connect_args": {"timeout": BUSY_SECONDS}} if sqlite else {"pool_pre_ping": True}
            self._engine = create_engine(parsed, **options)
            if sqlite:
                event.listen(self._engine, "connect", _prepare_sqlite)
            METADATA.create_all(self._engine)

    def add(self, job: Job) -> None:
        """Insert a job; its nonce must be new (see :meth:`find_nonce`)."""
        with self._write() as connection:
            connection.execute(insert(JOBS).values(**vars(job)))

    def find(self, job_id: str) -> Job | None:
        """The job of that id."""
        return self._one(JOBS.c.id == job_id)

    def find_nonce(self, nonce: str) -> Job | None:
        """The job whose request had that nonce."""
        return self._one(JOBS.c.nonce == nonce)

    def pending(self) -> int:
        """How many jobs are queued or running."""
        with self._read() as connection:
            query = select(func.count()).where(JOBS.c.node == self._node, JOBS.c.state.in_((QUEUED, RUNNING)))
            return int(connection.execute(query).scalar_one())

    def unfinished(self) -> Sequence[Job]:
        """The jobs that are queued or running."""
        with self._read() as connection:
            query = select(JOBS).where(JOBS.c.node == self._node, JOBS.c.state.in_((QUEUED, RUNNING)))
            return [_job(row) for row in connection.execute(query).all()]

    def claim(self) -> Job | None:
        """Take the oldest queued job: it is running from now on."""
        with self._write() as connection:
            query = select(JOBS).where(JOBS.c.node == self._node, JOBS.c.state == QUEUED)
            row = connection.execute(query.order_by(JOBS.c.received_ms, JOBS.c.id).limit(1)).one_or_none()
            if row is None:
                return None
            attempts = row.attempts + 1
            claimed = update(JOBS).where(JOBS.c.id == row.id, JOBS.c.state == QUEUED)
            connection.execute(claimed.values(state=RUNNING, attempts=attempts))
            return _job(row, state=RUNNING, attempts=attempts)

    def finish(self, job_id: str, *, affidavit: str, sealed: str | None, at_ms: int) -> None:
        """A running job is done."""
        self._end(job_id, state=DONE, affidavit=affidavit, sealed=sealed, finished_ms=at_ms)

    def fail(self, job_id: str, error: NodeError, *, at_ms: int) -> None:
        """A running job failed."""
        self._end(
            job_id,
            state=FAILED,
            finished_ms=at_ms,
            error_code=error.code[:128],
            error_message=error.message.replace("\0", ""),  # PostgreSQL's text holds no NUL
            error_remedy=error.remedy,
        )

    def requeue(self, *, most_attempts: int) -> Sequence[Job]:
        """After a restart: running jobs are queued again.

        Returns:
            The jobs that were started ``most_attempts`` times already and still did not finish; they stay running,
            and the caller fails them.
        """
        with self._write() as connection:
            mine = (JOBS.c.node == self._node, JOBS.c.state == RUNNING)
            hopeless = connection.execute(select(JOBS).where(*mine, JOBS.c.attempts >= most_attempts)).all()
            connection.execute(update(JOBS).where(*mine, JOBS.c.attempts < most_attempts).values(state=QUEUED))
            return [_job(row) for row in hopeless]

    def expire(self, *, before_ms: int, keep: int) -> Sequence[Job]:
        """Delete finished jobs older than ``before_ms``, and the oldest beyond ``keep``; returns them."""
        with self._write() as connection:
            mine = (JOBS.c.node == self._node, JOBS.c.state.in_((DONE, FAILED)))
            newest_first = select(JOBS).where(*mine).order_by(JOBS.c.finished_ms.desc(), JOBS.c.id)
            surplus = connection.execute(newest_first.offset(keep)).all()
            old = connection.execute(select(JOBS).where(*mine, JOBS.c.finished_ms < before_ms)).all()
            gone = {row.id: _job(row) for row in (*surplus, *old)}
            for job_id in gone:
                connection.execute(delete(JOBS).where(JOBS.c.id == job_id))
            return list(gone.values())

    def referenced(self) -> set[str]:
        """Digests of all blobs that some job, of whatever node, still needs."""
        with self._read() as connection:
            rows = connection.execute(select(JOBS.c.body, JOBS.c.affidavit, JOBS.c.sealed, JOBS.c.state)).all()
        found = {row.body for row in rows if row.state in (QUEUED, RUNNING)}
        return found | {digest for row in rows for digest in (row.affidavit, row.sealed) if digest}

    def ping(self) -> None:
        """Raise unless the database answers."""
        with self._read() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def _one(self, condition: Any) -> Job | None:
        with self._read() as connection:
            row = connection.execute(select(JOBS).where(JOBS.c.node == self._node, condition)).one_or_none()
        return None if row is None else _job(row)

    def _end(self, job_id: str, **values: Any) -> None:
        with self._write() as connection:
            connection.execute(update(JOBS).where(JOBS.c.id == job_id, JOBS.c.state == RUNNING).values(**values))

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with _translated(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with _translated(), self._writing, self._engine.begin() as connection:
            yield connection


def _job(row: Row[Any], **changed: Any) -> Job:
    return Job(**{**row._mapping, **changed})  # noqa: SLF001 - a public attribute, named so to avoid clashes


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (ArgumentError, ModuleNotFoundError) as error:
        raise OperationalError(
            "node.store.failed",
            f"the database URL cannot be used ({type(error).__name__})",
            remedy="give a SQLAlchemy URL whose driver is installed, such as sqlite:///jobs.db",
        ) from None
    except IntegrityError:
        raise OperationalError("node.store.failed", "a job with this nonce is there already") from None
    except SQLAlchemyError as error:
        # Neither URL nor statement go into the message: they may hold a password or a client's data.
        raise OperationalError(
            "node.store.failed",
            f"the node's database does not do its work ({type(error).__name__})",
            remedy="try again later; the operator should look after the database",
        ) from None


def _prepare_sqlite(connection: Any, record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")  # an acknowledged job survives a power cut, too
    cursor.close()
