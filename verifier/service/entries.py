# SPDX-License-Identifier: AGPL-3.0-or-later
"""What an audit entry says of a row: the whole row, with digests in hex and times as RFC 3339."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row

from verifier.service.times import to_text
from verifier.verdict import Verdict


def verification_entry(row: Row[Any]) -> dict[str, Any]:
    """A row of ``verifications``: also what the service answers about one."""
    return {
        "id": row.id,
        "recorded_at": to_text(row.recorded_at),
        "asked_at": to_text(row.asked_at),
        "affidavit": row.affidavit,
        "report": row.report,
        "receipt": row.receipt,
        "node": row.node,
        "signed": bool(row.signed),
        "circuit": row.circuit,
        "nonce": row.nonce,
        "verdict": row.verdict,
        "code": row.code,
        "score_permille": row.score,
        "policy": row.policy,
        "version": row.version,
        "reuse_of": row.reuse_of,
    }


def appraisal_entry(row: Row[Any]) -> dict[str, Any]:
    """A row of ``appraisals``: also what the service answers about one."""
    return {
        "id": row.id,
        "recorded_at": to_text(row.recorded_at),
        "type": row.type,
        "evidence": row.evidence,
        "body": row.body,
        "nonce": row.nonce,
        "verdict": row.verdict,
        "code": row.code,
        "status": row.status,
        "score_permille": row.score,
        "policy": row.policy,
        "version": row.version,
    }


def keeps_affidavit(verdict: str) -> bool:
    """Whether the file is kept after this verdict.

    Bytes in which nobody could read an affidavit prove nothing about anyone: keeping them would only let whoever
    may ask fill the disk. Row and digest stay.
    """
    return verdict != Verdict.MALFORMED.value


def blobs_of(entry: Mapping[str, Any]) -> dict[str, str]:
    """Digests of the content that the store must hold for an entry of any kind, by name."""
    names = ["report", "file"]
    if "affidavit" in entry and keeps_affidavit(entry["verdict"]):
        names.append("affidavit")
    return {name: entry[name] for name in names if name in entry}


def model_entry(row: Row[Any]) -> dict[str, Any]:
    """A row of ``models``: also what the service answers about one."""
    return {
        "circuit": row.circuit,
        "weights": row.weights,
        "file": row.file,
        "size": row.size,
        "gates": row.gates,
        "profile": row.profile,
        "added_at": to_text(row.added_at),
    }


def certificate_entry(row: Row[Any]) -> dict[str, Any]:
    """A row of ``enrolments`` that ended in a certificate."""
    return {
        "id": row.id,
        "issued_at": to_text(row.spent_at),
        "ek_certificate": hashlib.sha256(row.ek_certificate).hexdigest(),
        "ak_public": hashlib.sha256(row.ak_public).hexdigest(),
        "certificate": hashlib.sha256(row.certificate).hexdigest(),
    }
