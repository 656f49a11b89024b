# SPDX-License-Identifier: AGPL-3.0-or-later
"""What an audit entry says of a row: the whole row, with digests in hex and times as RFC 3339."""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy import Row

from verifier.service.times import to_text


def verification_entry(row: Row[Any]) -> dict[str, Any]:
    """A row of ``verifications``: also what the service answers about one."""
    return {
        "id": row.id,
        "recordedAt": to_text(row.recorded_at),
        "askedAt": to_text(row.asked_at),
        "affidavit": row.affidavit,
        "report": row.report,
        "receipt": row.receipt,
        "node": row.node,
        "signed": bool(row.signed),
        "circuit": row.circuit,
        "nonce": row.nonce,
        "verdict": row.verdict,
        "code": row.code,
        "scorePermille": row.score,
        "policy": row.policy,
        "version": row.version,
        "reuseOf": row.reuse_of,
    }


def model_entry(row: Row[Any]) -> dict[str, Any]:
    """A row of ``models``: also what the service answers about one."""
    return {
        "circuit": row.circuit,
        "weights": row.weights,
        "file": row.file,
        "size": row.size,
        "gates": row.gates,
        "profile": row.profile,
        "addedAt": to_text(row.added_at),
    }


def certificate_entry(row: Row[Any]) -> dict[str, Any]:
    """A row of ``enrolments`` that ended in a certificate."""
    return {
        "id": row.id,
        "issuedAt": to_text(row.spent_at),
        "ekCertificate": hashlib.sha256(row.ek_certificate).hexdigest(),
        "akPublic": hashlib.sha256(row.ak_public).hexdigest(),
        "certificate": hashlib.sha256(row.certificate).hexdigest(),
    }
