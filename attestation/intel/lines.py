# SPDX-License-Identifier: AGPL-3.0-or-later
"""Check lines of Intel evidence: PASS or FAIL from a truth, and what an error means as a line."""

from __future__ import annotations

from attestation.contract import Category, Check
from attestation.errors import EvidenceError, RejectedError


def judged(
    id_: str,
    holds: bool,
    observed: str,
    required: str,
    code: str,
    *,
    category: Category = "",
    bits: int | None = None,
    warning: bool = False,
) -> Check:
    """PASS where `holds`, else FAIL with `code`."""
    return Check(
        id_,
        "PASS" if holds else "FAIL",
        observed,
        required,
        "" if holds else code,
        bits=bits if holds else None,
        category=category,
        warning=warning and holds,
    )


def missing(
    id_: str, observed: str, required: str, code: str, *, demanded: bool = True, category: Category = ""
) -> Check:
    """SKIP: the question stays open."""
    return Check(id_, "SKIP", observed, required, code, demanded=demanded, category=category)


def refused(id_: str, error: EvidenceError, required: str, *, category: Category = "") -> Check:
    """FAIL for a `RejectedError`, SKIP for what is missing or cannot be read."""
    if isinstance(error, RejectedError):
        return Check(id_, "FAIL", error.message, required, error.code, category=category)
    return Check(id_, "SKIP", error.message, required, error.code, category=category)
