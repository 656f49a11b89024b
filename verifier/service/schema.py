# SPDX-License-Identifier: AGPL-3.0-or-later
"""The tables, version 3. Digests and keys are lower-case hex, times microseconds since 1970 UTC.

=================  ===================================================================================
table              one row for
=================  ===================================================================================
schema_version     each version of this schema that the database has had
verifications      each verdict given
seen_nonces        each (node, request nonce) under a valid node signature, with the first receipt that bore
it nonces             each nonce minted here
appraisals         each piece of evidence appraised; ``body`` is what counted as fresh
statements         each signed statement in evidence that counted as fresh, with the appraisal that it did so in
clocks             each saying of a TPM about its clock and counts that was ahead of those before it
models             each circuit given to the service
enrolments         each challenge sent to a TPM, and the certificate it ended in
audit              each entry of the append-only log; ``audit_head`` is its last link and its lock
=================  ===================================================================================
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

SCHEMA_VERSION = 3
ADDED = {2: frozenset({"appraisals"}), 3: frozenset({"clocks", "statements"})}
"""Tables by the version that added them; nothing else ever changed. What was fresh before version 3 is known by
``appraisals.body`` alone, the whole of it."""

metadata = MetaData()

# SQLite numbers rows by itself for a column of exactly the type INTEGER.
_ID = BigInteger().with_variant(Integer(), "sqlite")
_HEX32 = String(64)

schema_version = Table(
    "schema_version",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("applied_at", BigInteger, nullable=False),
)

verifications = Table(
    "verifications",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("affidavit", _HEX32, nullable=False),
    Column("report", _HEX32, nullable=False),
    Column("receipt", _HEX32),
    Column("node", _HEX32),
    Column("signed", Boolean, nullable=False),
    Column("circuit", _HEX32),
    Column("nonce", _HEX32),
    Column("verdict", String(16), nullable=False),
    Column("code", String(120), nullable=False),
    Column("score", Integer, nullable=False),
    Column("policy", _HEX32, nullable=False),
    Column("version", String(40), nullable=False),
    Column("reuse_of", _ID, ForeignKey("verifications.id")),
    CheckConstraint("score >= 0 AND score <= 1000", name="score_in_permille"),
    Index("verifications_by_node", "node", "id"),
    Index("verifications_by_verdict", "verdict", "id"),
    Index("verifications_by_affidavit", "affidavit"),
)

seen_nonces = Table(
    "seen_nonces",
    metadata,
    Column("node", _HEX32, primary_key=True),
    Column("nonce", _HEX32, primary_key=True),
    Column("receipt", _HEX32, nullable=False),
    Column("verification", _ID, ForeignKey("verifications.id"), nullable=False),
)

nonces = Table(
    "nonces",
    metadata,
    Column("nonce", _HEX32, primary_key=True),
    Column("issued_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("verification", _ID, ForeignKey("verifications.id")),
    Index("nonces_by_expiry", "expires_at"),
)

appraisals = Table(
    "appraisals",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("type", String(80), nullable=False),
    Column("evidence", _HEX32, nullable=False),
    Column("body", _HEX32, unique=True),
    Column("nonce", String(128)),
    Column("verdict", String(16), nullable=False),
    Column("code", String(120), nullable=False),
    Column("status", String(16), nullable=False),
    Column("score", Integer, nullable=False),
    Column("policy", _HEX32, nullable=False),
    Column("version", String(40), nullable=False),
    Index("appraisals_by_nonce", "nonce"),
)

statements = Table(
    "statements",
    metadata,
    Column("digest", _HEX32, primary_key=True),
    Column("appraisal", _ID, ForeignKey("appraisals.id"), nullable=False),
)

clocks = Table(
    "clocks",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=False),
    Column("key", _HEX32, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("clock_ms", String(20), nullable=False),  # up to 2^64 - 1, which no integer column of either database holds
    Column("reset_count", BigInteger, nullable=False),
    Column("restart_count", BigInteger, nullable=False),
    Index("clocks_by_key", "key", "id"),
)

models = Table(
    "models",
    metadata,
    Column("circuit", _HEX32, primary_key=True),
    Column("weights", _HEX32, nullable=False),
    Column("file", _HEX32, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("gates", Integer, nullable=False),
    Column("profile", String(128), nullable=False),
    Column("added_at", BigInteger, nullable=False),
)

enrolments = Table(
    "enrolments",
    metadata,
    Column("id", _HEX32, primary_key=True),
    Column("started_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("ek_certificate", LargeBinary, nullable=False),
    Column("ak_public", LargeBinary, nullable=False),
    Column("secret_sha256", LargeBinary(32), nullable=False),
    Column("spent_at", BigInteger),
    Column("certificate", LargeBinary),
    Index("enrolments_by_expiry", "expires_at"),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", _ID, primary_key=True, autoincrement=False),
    Column("kind", String(24), nullable=False),
    Column("entry", LargeBinary, nullable=False),
    Column("previous", LargeBinary(32), nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="one_head"), primary_key=True, autoincrement=False),
    Column("seq", _ID, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
)
