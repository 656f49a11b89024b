# SPDX-License-Identifier: AGPL-3.0-or-later
"""Request nonces minted here: 32 random bytes, good for one verification or appraisal, for a limited time.

A nonce is spent in the same transaction that records the verification it served, by one conditional update:
of two requests that race for it exactly one is recorded. Rows are kept for good, so that a spent or expired
nonce is never mistaken for one that a client drew by itself.

Machines fill up a challenge with zeros, so that N and N || 00 find the same report: a minted nonce is meant in every
such spelling, and each of them spends it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, exists, func, insert, select, update

from attestation.contract import MAX_CHALLENGE
from verifier.service import schema
from verifier.service.database import Database
from verifier.service.errors import Refusal, busy
from verifier.service.times import from_ticks, to_text, to_ticks

NONCE_BYTES = 32
_TABLE = schema.nonces.c
_APPRAISALS = schema.appraisals.c


@dataclass(frozen=True)
class Nonces:
    """Minting and spending.

    Attributes:
        lifetime: how long a nonce may be used.
        max_outstanding: how many unspent ones may be alive at a time.
    """

    database: Database
    lifetime: timedelta
    max_outstanding: int

    def mint(self, at: datetime) -> tuple[bytes, datetime]:
        """A fresh nonce and the time from which it is refused."""
        nonce, expires = secrets.token_bytes(NONCE_BYTES), at + self.lifetime
        appraised = exists().where(_APPRAISALS.nonce == _TABLE.nonce)
        alive = (_TABLE.verification.is_(None), _TABLE.expires_at > to_ticks(at), ~appraised)
        with self.database.write() as connection:
            count = connection.execute(select(func.count()).select_from(schema.nonces).where(*alive)).scalar_one()
            if count >= self.max_outstanding:
                raise busy(
                    f"{count} nonces are waiting to be used, at most {self.max_outstanding}",
                    code="service.nonce.too-many",
                    retry_after=max(1, int(self.lifetime.total_seconds())),
                )
            connection.execute(
                insert(schema.nonces).values(nonce=nonce.hex(), issued_at=to_ticks(at), expires_at=to_ticks(expires))
            )
        return nonce, expires

    def drawn_at(self, nonce: bytes) -> datetime | None:
        """When this nonce was minted here; ``None`` for a client's own."""
        with self.database.read() as connection:
            ticks = connection.execute(
                select(_TABLE.issued_at).where(_TABLE.nonce == _minted(nonce))
            ).scalar_one_or_none()
        return None if ticks is None else from_ticks(ticks)

    def check(self, nonce: bytes, at: datetime) -> None:
        """Refuse early what :func:`spend` would refuse; a nonce not minted here is the client's own."""
        with self.database.read() as connection:
            refuse_dead(connection, nonce, at)


def spend(connection: Connection, nonce: bytes, at: datetime, verification: int) -> None:
    """Use up a minted nonce for ``verification``; nothing to do for one that was not minted here.

    Raises:
        Refusal: ``request.nonce.used`` (409), ``request.nonce.expired`` (410).
    """
    refuse_dead(connection, nonce, at)
    changed = connection.execute(
        update(schema.nonces)
        .where(_TABLE.nonce == nonce.hex(), _TABLE.verification.is_(None), _TABLE.expires_at > to_ticks(at))
        .values(verification=verification)
    )
    if changed.rowcount != 1:
        refuse_dead(connection, nonce, at)


def _minted(nonce: bytes) -> str:
    """The minted nonce that this is a spelling of, if it is one: 32 bytes, in hex."""
    return nonce.rstrip(b"\0").ljust(NONCE_BYTES, b"\0").hex()


def _spellings(nonce: bytes) -> list[str]:
    """The challenges, in hex, that machines which fill up with zeros cannot tell from this one."""
    bare = nonce.rstrip(b"\0")
    return [bare.ljust(size, b"\0").hex() for size in range(len(bare), MAX_CHALLENGE + 1)]


def refuse_dead(connection: Connection, nonce: bytes, at: datetime) -> None:
    """Nothing for a nonce that was not minted here, or is alive.

    Raises:
        Refusal: ``request.nonce.used`` (409), ``request.nonce.expired`` (410).
    """
    row = connection.execute(select(schema.nonces).where(_TABLE.nonce == _minted(nonce))).one_or_none()
    if row is None:
        return
    if row.verification is not None:
        raise Refusal(
            409,
            "request.nonce.used",
            f"nonce {nonce.hex()[:16]} was used by verification {row.verification}",
            remedy=f"read /v1/verifications/{row.verification}, or ask for a new nonce and a new answer",
        )
    appraisal = connection.execute(select(_APPRAISALS.id).where(_APPRAISALS.nonce.in_(_spellings(nonce)))).first()
    if appraisal is not None:
        raise Refusal(
            409,
            "request.nonce.used",
            f"nonce {nonce.hex()[:16]} was used by appraisal {appraisal.id}",
            remedy="ask for a new nonce and new evidence",
        )
    if row.expires_at <= to_ticks(at):
        raise Refusal(
            410,
            "request.nonce.expired",
            f"nonce {nonce.hex()[:16]} expired at {to_text(row.expires_at)}",
            remedy="ask for a new nonce and a new answer",
        )
