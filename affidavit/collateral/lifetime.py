# SPDX-License-Identifier: AGPL-3.0-or-later
"""Until when a piece of collateral may be used, by what it says of itself; unverified, as everything here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from attestation.collateral import recognise
from attestation.collateral.bag import Item
from attestation.errors import EvidenceError
from attestation.pki.certificate import load_certificate
from attestation.pki.ocsp import load_responses
from attestation.pki.revocation import load_crl

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")
_SIGNED = ("tcbInfo", "enclaveIdentity")


def expires(data: bytes) -> datetime | None:
    """The earliest end among the items in a file: next update of CRLs, OCSP responses and Intel's documents, end of
    validity of certificates. None where nothing in it says so.

    Raises `attestation.errors.MalformedError` as `recognise` does.
    """
    return earliest(item_expires(item) for item in recognise(data))


def earliest(ends: Iterable[datetime | None]) -> datetime | None:
    """The first of those that are known."""
    return min((end for end in ends if end is not None), default=None)


def item_expires(item: Item) -> datetime | None:
    """The end of one item. What cannot be read has none: appraising says what is wrong with it."""
    try:
        if item.kind == "x509":
            return load_certificate(item.data, "evidence.collateral").not_valid_after_utc
        if item.kind == "crl":
            return load_crl(item.data, "evidence.collateral").next_update_utc
        if item.kind == "ocsp":
            return earliest(response.next_update_utc for response in load_responses((item.data,)))
        if item.kind == "json":
            return _document(item.data)
    except (EvidenceError, ValueError):
        return None
    return None


def _document(data: bytes) -> datetime | None:
    try:
        value: Any = json.loads(data)
    except (ValueError, RecursionError):
        return None
    bodies = [value.get(name) for name in _SIGNED] if isinstance(value, dict) else []
    return earliest(_next_update(body) for body in bodies if isinstance(body, dict))


def _next_update(body: dict[str, Any]) -> datetime | None:
    text = body.get("nextUpdate")
    if not isinstance(text, str) or not _TIME.match(text):
        return None
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
