# SPDX-License-Identifier: AGPL-3.0-or-later
"""One database, SQLite in a file or PostgreSQL by URL, with the same meaning of a transaction on both.

A write transaction holds the audit log's head from its start (SQLite: ``BEGIN IMMEDIATE``; PostgreSQL: a row
lock), so writers stand in one line and every one of them sees what the previous one committed.
:meth:`Database.write` returns only after the commit: what was answered is on disk.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, create_engine, event, insert, inspect, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from verifier.errors import OperationalError
from verifier.service import schema
from verifier.service.chain import GENESIS
from verifier.service.times import to_ticks

BUSY_TIMEOUT_MS = 10_000
POOL_SIZE = 16
WAL_RETRY_S = 0.01
_SCHEMA_LOCK = 0x41464644_41564954  # "AFFDAVIT", for pg_advisory_xact_lock


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise OperationalError(
            "service.database.unsupported", "the database URL cannot be read", remedy="see docs/service.md"
        ) from None
    if parsed.get_backend_name() == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return parsed.set(drivername="sqlite+pysqlite")
    raise OperationalError(
        "service.database.unsupported",
        f"database of kind {parsed.get_backend_name()!r}; sqlite:///FILE or postgresql://... required",
    )


class Database:
    """A pool of connections.

    Raises:
        OperationalError: ``service.database.unsupported``, ``service.database.unavailable``.
    """

    def __init__(self, url: str) -> None:
        parsed = _parse(url)
        self.dialect = parsed.get_backend_name()
        arguments: dict[str, Any] = {"connect_timeout": 10}
        if self.dialect == "sqlite":
            arguments = {"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False}
        try:
            self._engine = create_engine(
                parsed,
                connect_args=arguments,
                pool_size=POOL_SIZE,
                max_overflow=0,
                pool_timeout=BUSY_TIMEOUT_MS / 1000,
                pool_pre_ping=self.dialect == "postgresql",
            )
        except ImportError as error:
            raise OperationalError(
                "service.database.unsupported",
                f"the driver for {self.dialect} is not installed ({error.name})",
                remedy="pip install 'psycopg[binary]'",
            ) from None
        if self.dialect == "sqlite":
            event.listen(self._engine, "connect", _configure_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        else:
            event.listen(self._engine, "connect", _configure_postgresql)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection whose transaction is given up at the end."""
        with self._engine.connect() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Like :meth:`read`, and every statement sees the same state, whatever others commit meanwhile."""
        options = {"isolation_level": "REPEATABLE READ"} if self.dialect == "postgresql" else {}
        with self._engine.connect().execution_options(**options) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that holds the audit log's head; committed at the end, undone by an exception."""
        with self._engine.connect().execution_options(affidavit_write=True) as connection, connection.begin():
            if self.dialect == "postgresql":
                connection.execute(select(schema.audit_head.c.seq).with_for_update())
            yield connection

    def ping(self) -> None:
        """Raises ``SQLAlchemyError`` when the database does not answer."""
        with self.read() as connection:
            connection.execute(text("SELECT 1"))

    def migrate(self, at: datetime) -> None:
        """Create the schema, or make sure that the one found is ours.

        Raises:
            OperationalError: ``service.schema.newer`` (made by a later release), ``service.schema.unknown``
                (tables of our names without a version), ``service.database.unavailable``.
        """
        try:
            options = {"affidavit_write": True}
            with self._engine.connect().execution_options(**options) as connection, connection.begin():
                if self.dialect == "postgresql":
                    # Two services starting at once must not both create.
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SCHEMA_LOCK})
                self._migrate(connection, at)
        except SQLAlchemyError as error:
            raise OperationalError(
                "service.database.unavailable",
                f"the database cannot be used ({type(error).__name__})",
                remedy="check the URL, that the server runs and that the folder is writable",
            ) from error

    def _migrate(self, connection: Connection, at: datetime) -> None:
        present = set(inspect(connection).get_table_names()) & schema.metadata.tables.keys()
        if not present:
            schema.metadata.create_all(connection)
            connection.execute(
                insert(schema.schema_version).values(version=schema.SCHEMA_VERSION, applied_at=to_ticks(at))
            )
            connection.execute(insert(schema.audit_head).values(id=1, seq=0, digest=GENESIS))
            return
        versions = (
            connection.execute(select(schema.schema_version.c.version)).scalars().all()
            if schema.schema_version.name in present
            else []
        )
        found = max(versions, default=0)
        if found > schema.SCHEMA_VERSION:
            raise OperationalError(
                "service.schema.newer",
                f"the database has schema version {found}, this release knows {schema.SCHEMA_VERSION}",
                remedy="use the release that wrote it, or a later one",
            )
        later = {name for version, names in schema.ADDED.items() if version > found for name in names}
        if 0 < found < schema.SCHEMA_VERSION and present == schema.metadata.tables.keys() - later:
            schema.metadata.create_all(connection, tables=[schema.metadata.tables[name] for name in sorted(later)])
            for version in range(found + 1, schema.SCHEMA_VERSION + 1):
                connection.execute(insert(schema.schema_version).values(version=version, applied_at=to_ticks(at)))
            return
        if found < schema.SCHEMA_VERSION or present != schema.metadata.tables.keys():
            raise OperationalError(
                "service.schema.unknown",
                f"the database holds tables {sorted(present)[:4]} that no release of this service made",
                remedy="give the service a database of its own",
            )

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def _configure_sqlite(connection: Any, record: object) -> None:
    # The driver must not open transactions by itself: `_begin_sqlite` decides which kind.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    _use_wal(connection)
    for pragma in (
        "synchronous = FULL",  # a commit survives power loss, not only a killed process
        "foreign_keys = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _use_wal(connection: Any) -> None:
    """Write-ahead logging. SQLite does not wait for others when the mode changes, whatever its timeout says."""
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(WAL_RETRY_S)


def _configure_postgresql(connection: Any, record: object) -> None:
    # A writer whose machine has gone must not hold the log's head for ever.
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = {BUSY_TIMEOUT_MS}")
        cursor.execute(f"SET idle_in_transaction_session_timeout = {3 * BUSY_TIMEOUT_MS}")
    connection.commit()


def _begin_sqlite(connection: Connection) -> None:
    writing = connection.get_execution_options().get("affidavit_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
