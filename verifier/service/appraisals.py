# SPDX-License-Identifier: AGPL-3.0-or-later
"""Appraising evidence for others: judged under one of the service's policies, recorded, and signed with its own key.

A nonce minted here serves one appraisal or one verification. Whatever nonce there is, the bytes that a signature in the
evidence covers count as fresh once: shown again they are refused, however they are wrapped and whatever else comes with
them (one device of a set, one piece of a collection).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select

from attestation.clock import Counters
from attestation.contract import Format
from attestation.ear.claims import Dialect, to_cbor, to_json
from attestation.ear.keys import VerificationKey
from attestation.ear.tokens import TokenFormat, encode_cwt, encode_jwt
from attestation.formats import FORMATS
from attestation.statements import signed_body, statement_digests
from verifier.appraisal import Judgement, judge_file
from verifier.appraisal.ear import policy_name, to_ear
from verifier.appraisal.report import judgement_json
from verifier.errors import OperationalError
from verifier.policy import Policy
from verifier.service import audit, nonces, schema
from verifier.service.clocks import Clocks, remember
from verifier.service.database import Database
from verifier.service.entries import appraisal_entry
from verifier.service.errors import Refusal, unknown
from verifier.service.rego import RegoPolicy, apply_rego
from verifier.service.times import to_ticks
from verifier.verdict import Verdict

_ROWS = schema.appraisals.c


@dataclass(frozen=True)
class Signer:
    """The service's key for attestation results, in memory."""

    algorithm: str
    sign: Callable[[bytes], bytes]
    public: VerificationKey


@dataclass(frozen=True)
class Question:
    """What a caller asks: `data` is the evidence as its source gives it.

    `challenge` is what it must be bound to: `nonce` itself, or that and a TLS connection.
    """

    type: str
    data: bytes
    collateral: tuple[bytes, ...]
    nonce: bytes | None
    challenge: bytes | None
    policy: Policy
    arrived_at: datetime


@dataclass(frozen=True)
class Appraised:
    """A judgement about to be recorded; `body` is SHA-256 of what the evidence signs, where that counts as fresh, and
    `statements` of what each of its signatures covers."""

    question: Question
    found: Judgement
    body: bytes | None
    statements: frozenset[bytes] = frozenset()


@dataclass(frozen=True)
class Appraisals:
    """The use case. ``signer`` is ``None`` where the service has no key: then nothing is appraised.

    ``rego``: policies that may worsen every judgement.
    """

    database: Database
    nonces: nonces.Nonces
    clocks: Clocks
    signer: Signer | None
    version: str
    rego: tuple[RegoPolicy, ...] = ()

    def decide(self, question: Question) -> Appraised:
        """Judge; changes nothing.

        Raises:
            Refusal: a minted nonce that is used or expired.
            OperationalError: the policy's own trust cannot be used.
        """
        if question.nonce is not None:
            self.nonces.check(question.nonce, question.arrived_at)
        scheme = resolve(question.type)
        found, members = judge_file(
            scheme,
            question.data,
            challenge=question.challenge,
            at=question.arrived_at,
            policy=question.policy,
            collateral=question.collateral,
            remember=lambda keys: self._known(keys, question),
        )
        if found.verdict is Verdict.ERROR:
            raise OperationalError(found.code, found.message, remedy=found.remedy)
        for rego in self.rego:
            found = apply_rego(found, rego, policy_name(question.policy))
        if found.verdict is not Verdict.ACCEPT or question.nonce is None or members is None:
            return Appraised(question, found, None)
        return Appraised(question, found, signed_body(scheme, members), statement_digests(scheme, members))

    def _known(self, keys: frozenset[bytes], question: Question) -> dict[bytes, Counters]:
        """What these keys' TPMs said before the nonce was drawn; a client's own is no older than one minted here."""
        if question.nonce is None:
            return {}
        drawn = self.nonces.drawn_at(question.nonce)
        return self.clocks.known(keys, drawn or question.arrived_at - self.clocks.lifetime)

    def record(self, seen: Appraised, at: datetime) -> tuple[Row[Any], audit.Head]:
        """Spend the nonce, remember the body and the TPM's clock, write the row; all or nothing.

        Raises:
            Refusal: ``request.nonce.*``, ``service.evidence.replayed`` (409).
        """
        question, found = seen.question, seen.found
        body = None if seen.body is None else seen.body.hex()
        with self.database.write() as connection:
            if question.nonce is not None:
                nonces.refuse_dead(connection, question.nonce, question.arrived_at)
            statements = sorted(digest.hex() for digest in seen.statements)
            _refuse_replay(connection, body, statements)
            number = connection.execute(select(func.coalesce(func.max(_ROWS.id), 0))).scalar_one() + 1
            connection.execute(
                insert(schema.appraisals).values(
                    id=number,
                    recorded_at=to_ticks(at),
                    type=found.type,
                    evidence=hashlib.sha256(question.data).hexdigest(),
                    body=body,
                    nonce=None if question.nonce is None else question.nonce.hex(),
                    verdict=found.verdict.value,
                    code=found.code,
                    status=found.status.word,
                    score=found.score.permille,
                    policy=question.policy.id.hex(),
                    version=self.version,
                )
            )
            if statements:
                rows = [{"digest": digest, "appraisal": number} for digest in statements]
                connection.execute(insert(schema.statements), rows)
            row = connection.execute(select(schema.appraisals).where(_ROWS.id == number)).one()
            accepted = found.verdict is Verdict.ACCEPT
            remember(connection, found.clocks, accepted=accepted, at=at, lifetime=self.clocks.lifetime)
            head = audit.append(connection, "appraisal", appraisal_entry(row))
        return row, head

    def document(self, seen: Appraised, dialect: Dialect, form: TokenFormat) -> dict[str, Any]:
        """The appraisal as JSON with the signed result; no result where the evidence was not understood."""
        question, found = seen.question, seen.found
        name = policy_name(question.policy)
        if self.signer is None or not found.checks:
            return {**judgement_json(found, policy=name, ear=None), "ear_token": None}
        build = f"affidavit {self.version}"
        ear = to_ear({found.type: found}, build=build, policy=question.policy, challenge=question.nonce)
        token = _token(self.signer, to_json(ear, dialect), to_cbor(ear, dialect), form)
        return {**judgement_json(found, policy=name, ear=to_json(ear, dialect)), "ear_token": token}


def resolve(name: str) -> Format:
    """A format by short name or type id. Raises ``service.evidence-type.unknown`` (404)."""
    found = FORMATS.get(name) or next((scheme for scheme in FORMATS.values() if scheme.name == name), None)
    if found is None:
        raise unknown("evidence-type", name[:64])
    return found


def _token(signer: Signer, as_json: Mapping[str, Any], as_cbor: Mapping[Any, Any], form: TokenFormat) -> str:
    if form == "jwt":
        return encode_jwt(as_json, signer.algorithm, signer.sign).decode("ascii")
    return base64.b64encode(encode_cwt(as_cbor, signer.algorithm, signer.sign)).decode("ascii")


def _refuse_replay(connection: Connection, body: str | None, statements: Sequence[str]) -> None:
    if body is None:
        return
    parts = schema.statements.c
    known = (
        connection.execute(select(_ROWS.id).where(_ROWS.body == body)).first()
        or connection.execute(select(parts.appraisal.label("id")).where(parts.digest.in_(statements)).limit(1)).first()
    )
    if known is not None:
        raise Refusal(
            409,
            "service.evidence.replayed",
            f"what this evidence signs, or a part of it, was accepted as fresh in appraisal {known.id}",
            remedy="ask for a new nonce and new evidence",
        )
