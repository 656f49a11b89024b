# SPDX-License-Identifier: AGPL-3.0-or-later
"""What TPMs said of their clocks, by attestation key: no quote may be behind what was seen before its nonce was drawn.

Quotes arrive in another order than they were made: a client may sit on an honest answer while the same machine serves
others. So a quote is held against the last saying that was recorded *before its nonce came to be*, never against what
came in between, and rows are kept for twice as long as a nonce lives: one that arrived at its end is judged after that.
Only what a TPM signed over the nonce is remembered, and of a key seen for the first time only where the evidence was
accepted: strangers can neither move what is known of somebody's TPM nor fill the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select

from attestation.clock import Counters, later
from verifier.service import schema
from verifier.service.database import Database
from verifier.service.times import to_ticks

_ROWS = schema.clocks.c


@dataclass(frozen=True)
class Clocks:
    """The memory. ``lifetime``: how long before its arrival a nonce may have been drawn."""

    database: Database
    lifetime: timedelta

    def known(self, keys: frozenset[bytes], before: datetime) -> dict[bytes, Counters]:
        """The last that was recorded of each of these keys not later than ``before``."""
        found = {}
        with self.database.read() as connection:
            for key in keys:
                last = _last(connection, key, before)
                if last is not None:
                    found[key] = last
        return found

    def forget(self, key: bytes) -> bool:
        """Drop what is known of a key, whose TPM was cleared by its owner; whether anything was."""
        with self.database.write() as connection:
            return connection.execute(delete(schema.clocks).where(_ROWS.key == key.hex())).rowcount > 0


def remember(
    connection: Connection, said: Mapping[bytes, Counters], *, accepted: bool, at: datetime, lifetime: timedelta
) -> None:
    """Record what is new, inside the :meth:`Database.write` that records the verdict: it holds the audit log's head,
    so that no other writer comes between reading and writing."""
    for key, counters in said.items():
        last = _last(connection, key)
        if (last is None and not accepted) or later(last, counters) == last:
            continue
        number = connection.execute(select(func.coalesce(func.max(_ROWS.id), 0))).scalar_one() + 1
        connection.execute(
            insert(schema.clocks).values(
                id=number,
                key=key.hex(),
                recorded_at=to_ticks(at),
                clock_ms=str(counters.clock_ms),
                reset_count=counters.reset_count,
                restart_count=counters.restart_count,
            )
        )
        _prune(connection, key, at - 2 * lifetime)


def _last(connection: Connection, key: bytes, before: datetime | None = None) -> Counters | None:
    question = select(schema.clocks).where(_ROWS.key == key.hex()).order_by(_ROWS.id.desc()).limit(1)
    if before is not None:
        question = question.where(_ROWS.recorded_at <= to_ticks(before))
    row = connection.execute(question).one_or_none()
    return None if row is None else Counters(int(row.clock_ms), row.reset_count, row.restart_count)


def _prune(connection: Connection, key: bytes, horizon: datetime) -> None:
    """What no nonce of a question under way can be held against: all but the last row from before ``horizon``."""
    mine = _ROWS.key == key.hex()
    kept = select(func.max(_ROWS.id)).where(mine, _ROWS.recorded_at <= to_ticks(horizon))
    number = connection.execute(kept).scalar_one()
    if number is not None:
        connection.execute(delete(schema.clocks).where(mine, _ROWS.id < number))
