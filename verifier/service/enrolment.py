# SPDX-License-Identifier: AGPL-3.0-or-later
"""The attestation CA's two steps over a database: challenge a TPM, certify its key once it has answered.

The secret itself is never stored, only its SHA-256 (it has 256 random bits), so that whoever reads the
database cannot answer in a TPM's place. An enrolment is spent by the first answer, right or wrong.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

import attestation.errors
from attestation.tpm2.credential import Credential
from attestation.tpm2.registrar import Enrolment, Pending, Registrar
from verifier.service import audit, schema
from verifier.service.database import Database
from verifier.service.entries import certificate_entry
from verifier.service.errors import Refusal, busy, unknown
from verifier.service.times import to_text, to_ticks

FORGET_AFTER = timedelta(hours=1)
"""An enrolment without a certificate is kept this long after its end, to say why a late answer is refused."""

_TABLE = schema.enrolments.c


@dataclass(frozen=True)
class Challenge:
    """What the TPM has to activate: ``id`` names the enrolment, 64 hex digits."""

    id: str
    credential: Credential
    expires: datetime


@dataclass(frozen=True)
class Enrolments:
    """Enrolling TPMs with ``registrar``; at most ``max_outstanding`` challenges are alive at a time."""

    database: Database
    registrar: Registrar
    max_outstanding: int

    def start(self, enrolment: Enrolment, at: datetime) -> Challenge:
        """Check the EK certificate against the roots, and make a challenge for it and this AK.

        Raises:
            Refusal: what the registrar said (``evidence.tpm2.*``), or ``service.enrolment.too-many`` (503).
        """
        with _translated():
            credential, pending = self.registrar.challenge(enrolment, at)
        challenge = Challenge(secrets.token_hex(32), credential, pending.expires)
        with self.database.write() as connection:
            stale = (_TABLE.certificate.is_(None), _TABLE.expires_at < to_ticks(at - FORGET_AFTER))
            connection.execute(delete(schema.enrolments).where(*stale))
            alive = (
                select(func.count())
                .select_from(schema.enrolments)
                .where(_TABLE.spent_at.is_(None), _TABLE.expires_at >= to_ticks(at))
            )
            if connection.execute(alive).scalar_one() >= self.max_outstanding:
                raise busy("too many unfinished enrolments", code="service.enrolment.too-many", retry_after=60)
            connection.execute(
                insert(schema.enrolments).values(
                    id=challenge.id,
                    started_at=to_ticks(at),
                    expires_at=to_ticks(pending.expires),
                    ek_certificate=enrolment.ek_certificate,
                    ak_public=enrolment.ak_public,
                    secret_sha256=hashlib.sha256(pending.secret).digest(),
                )
            )
        return challenge

    def finish(self, enrolment: str, secret: bytes, at: datetime) -> bytes:
        """The AK certificate (DER) for the activated secret.

        Raises:
            Refusal: ``service.enrolment.unknown`` (404), ``.used`` (409), ``.expired`` (410), or
                ``evidence.tpm2.activation-failed`` (403) for a wrong secret, which spends the enrolment too.
        """
        with self.database.write() as connection, _translated():
            row = _spend(connection, enrolment, at)
            certificate = b""
            if hmac.compare_digest(hashlib.sha256(secret).digest(), bytes(row.secret_sha256)):
                keys = Enrolment(bytes(row.ak_public), bytes(row.ek_certificate))
                certificate = self.registrar.issue(Pending(keys, secret, at), secret, at)
                here = _TABLE.id == enrolment
                connection.execute(update(schema.enrolments).where(here).values(certificate=certificate))
                issued = connection.execute(select(schema.enrolments).where(here)).one()
                audit.append(connection, "certificate", certificate_entry(issued))
        if not certificate:
            raise Refusal(
                403,
                "evidence.tpm2.activation-failed",
                "the secret is not the one in the credential",
                remedy="enrol again, and activate the credential in the TPM of the EK certificate",
            )
        return certificate


def _spend(connection: Connection, enrolment: str, at: datetime) -> Row[Any]:
    """Claim the one answer; of two that race exactly one gets the row."""
    changed = connection.execute(
        update(schema.enrolments)
        .where(_TABLE.id == enrolment, _TABLE.spent_at.is_(None), _TABLE.expires_at >= to_ticks(at))
        .values(spent_at=to_ticks(at))
    )
    row = connection.execute(select(schema.enrolments).where(_TABLE.id == enrolment)).one_or_none()
    if row is None:
        raise unknown("enrolment", enrolment[:16])
    if changed.rowcount == 1:
        return row
    if row.spent_at is not None:
        raise Refusal(409, "service.enrolment.used", f"enrolment {enrolment[:16]} was answered", remedy="enrol again")
    expired = f"enrolment {enrolment[:16]} expired at {to_text(row.expires_at)}"
    raise Refusal(410, "service.enrolment.expired", expired, remedy="enrol again")


@contextmanager
def _translated() -> Iterator[None]:
    """The registrar's refusals as HTTP answers, codes unchanged."""
    try:
        yield
    except attestation.errors.RejectedError as error:
        raise Refusal(403, error.code, error.message, remedy=error.remedy) from None
    except (attestation.errors.MalformedError, attestation.errors.UnsupportedError) as error:
        raise Refusal(422, error.code, error.message, remedy=error.remedy) from None
