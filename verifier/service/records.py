# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the service saw: a row for every verdict, chained into the log, committed before the answer."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select

from verifier.keys import key_id
from verifier.receipt import Receipt
from verifier.service import audit, nonces, schema
from verifier.service.blobs import BlobStore
from verifier.service.clocks import remember
from verifier.service.database import Database
from verifier.service.entries import keeps_affidavit, verification_entry
from verifier.service.times import to_ticks
from verifier.verdict import Verdict
from verifier.verify import Result

_ROWS = schema.verifications.c


@dataclass(frozen=True)
class Seen:
    """One finished verification, about to be recorded.

    Attributes:
        affidavit: the file's bytes.
        report: the JSON report's bytes.
        result: what was decided.
        receipt_digest: SHA-256 of the signed payload; ``None`` when the file has no readable receipt.
        policy: SHA-256 of the policy.
        nonce: the nonce that the caller stated, if any.
        asked_at: the time that the question was asked for.
        arrived_at: when the request arrived, by the service's clock.
        version: of the verifier.
    """

    affidavit: bytes
    report: bytes
    result: Result
    receipt_digest: bytes | None
    policy: bytes
    nonce: bytes | None
    asked_at: datetime
    arrived_at: datetime
    version: str

    @property
    def signed(self) -> bool:
        """Whether the key that the receipt names did sign it; without that nothing is said about a node."""
        return any(check.id == "receipt.signature" and check.passed for check in self.result.checks)


@dataclass(frozen=True)
class Records:
    """Verifications in the database, their bytes in the blob store; minted nonces are good for ``nonce_lifetime``."""

    database: Database
    blobs: BlobStore
    nonce_lifetime: timedelta

    def add(self, seen: Seen, at: datetime) -> tuple[Row[Any], audit.Head]:
        """Record; blobs first, then everything else in one transaction.

        Of a file that is MALFORMED only the digest is kept, see :func:`verifier.service.entries.keeps_affidavit`.

        Raises:
            Refusal: the stated nonce was minted here and is used or expired; nothing is recorded then.
        """
        affidavit, report = hashlib.sha256(seen.affidavit).hexdigest(), self.blobs.put(seen.report)
        if keeps_affidavit(seen.result.verdict.value):
            self.blobs.put(seen.affidavit)
        receipt = seen.result.receipt
        node = None if receipt is None else key_id(receipt.keys.signing)
        with self.database.write() as connection:
            number = connection.execute(select(func.coalesce(func.max(_ROWS.id), 0))).scalar_one() + 1
            reuse_of = _first_use(connection, seen, receipt, node)
            connection.execute(
                insert(schema.verifications).values(
                    id=number,
                    recorded_at=to_ticks(at),
                    asked_at=to_ticks(seen.asked_at),
                    affidavit=affidavit,
                    report=report,
                    receipt=None if seen.receipt_digest is None else seen.receipt_digest.hex(),
                    node=node,
                    signed=seen.signed,
                    circuit=None if receipt is None else receipt.model.circuit.hex(),
                    nonce=None if receipt is None else receipt.nonce.hex(),
                    verdict=seen.result.verdict.value,
                    code=seen.result.code,
                    score=seen.result.score.permille,
                    policy=seen.policy.hex(),
                    version=seen.version,
                    reuse_of=reuse_of,
                )
            )
            if seen.nonce is not None:
                nonces.spend(connection, seen.nonce, seen.arrived_at, number)
            _remember_nonce(connection, seen, receipt, node, number)
            row = connection.execute(select(schema.verifications).where(_ROWS.id == number)).one()
            accepted = seen.result.verdict is Verdict.ACCEPT
            remember(connection, seen.result.clocks, accepted=accepted, at=at, lifetime=self.nonce_lifetime)
            head = audit.append(connection, "verification", verification_entry(row))
        return row, head

    def get(self, number: int) -> Row[Any] | None:
        """The verification with this number."""
        with self.database.read() as connection:
            return connection.execute(select(schema.verifications).where(_ROWS.id == number)).one_or_none()

    def page(
        self, *, node: str | None = None, verdict: str | None = None, before: int | None = None, limit: int
    ) -> list[Row[Any]]:
        """Newest first: up to ``limit`` verifications with numbers below ``before``."""
        question = select(schema.verifications).order_by(_ROWS.id.desc()).limit(limit)
        for column, value in ((_ROWS.node, node), (_ROWS.verdict, verdict)):
            if value is not None:
                question = question.where(column == value)
        if before is not None:
            question = question.where(_ROWS.id < before)
        with self.database.read() as connection:
            return list(connection.execute(question))

    def holds_affidavit(self, digest: str) -> bool:
        """Whether a file with this SHA-256 was ever verified here with a verdict for which it is kept."""
        kept = _ROWS.verdict != Verdict.MALFORMED.value
        question = select(_ROWS.id).where(_ROWS.affidavit == digest, kept).limit(1)
        with self.database.read() as connection:
            return connection.execute(question).first() is not None


def _first_use(connection: Connection, seen: Seen, receipt: Receipt | None, node: str | None) -> int | None:
    """The verification in which this node's key bore the same nonce on *another* receipt."""
    if receipt is None or not seen.signed or seen.receipt_digest is None:
        return None
    table = schema.seen_nonces.c
    first = connection.execute(
        select(table.receipt, table.verification).where(table.node == node, table.nonce == receipt.nonce.hex())
    ).one_or_none()
    if first is None or first.receipt == seen.receipt_digest.hex():
        return None
    return int(first.verification)


def _remember_nonce(connection: Connection, seen: Seen, receipt: Receipt | None, node: str | None, number: int) -> None:
    if receipt is None or not seen.signed or seen.receipt_digest is None:
        return
    table, nonce = schema.seen_nonces.c, receipt.nonce.hex()
    known = connection.execute(select(table.node).where(table.node == node, table.nonce == nonce)).first()
    if known is None:  # no race: the transaction holds the log's head
        connection.execute(
            insert(schema.seen_nonces).values(
                node=node, nonce=nonce, receipt=seen.receipt_digest.hex(), verification=number
            )
        )
