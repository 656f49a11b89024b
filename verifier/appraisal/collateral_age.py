# SPDX-License-Identifier: AGPL-3.0-or-later
"""When the given collateral was issued: the newest of each kind of statement, then the oldest of these.

Dated statements are CRLs (by issuer), OCSP responses (by serial number) and JSON with an ``issueDate`` (TCB information
and enclave identities, by ``id`` and ``fmspc``). Certificates, RIMs and logs bear no date of this kind. Nothing is
verified here: formats verify what they rely on, and a false date of something that they do not rely on only makes the
whole look older.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.x509 import ocsp

from attestation.collateral import Collateral

MAX_JSON = 4 << 20
"""Bytes of one document that is looked into."""

_UNREADABLE = (ValueError, TypeError, RecursionError, KeyError, AttributeError, OverflowError)
_DEPTH = 6


def oldest_issue(collateral: Collateral) -> datetime | None:
    """The issue time of the stalest statement for which there is no newer one of its kind; ``None`` without any."""
    newest: dict[tuple[str, ...], datetime] = {}
    for key, issued in _dated(collateral):
        newest[key] = max(issued, newest.get(key, issued))
    return min(newest.values(), default=None)


def _dated(collateral: Collateral) -> Iterator[tuple[tuple[str, ...], datetime]]:
    for data in collateral.of("crl"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                crl = x509.load_der_x509_crl(data)
                yield ("crl", crl.issuer.public_bytes().hex()), crl.last_update_utc
        except _UNREADABLE:
            continue
    for data in collateral.of("ocsp"):
        try:
            response = ocsp.load_der_ocsp_response(data)
            yield ("ocsp", str(response.serial_number)), response.this_update_utc
        except _UNREADABLE:
            continue
    for data in collateral.of("json"):
        try:
            document = json.loads(data) if len(data) <= MAX_JSON else None
        except _UNREADABLE:
            continue
        yield from _issue_dates(document, _DEPTH)


def _issue_dates(value: Any, depth: int) -> Iterator[tuple[tuple[str, ...], datetime]]:
    if not isinstance(value, dict) or depth == 0:
        return
    stated = value.get("issueDate")
    if isinstance(stated, str):
        try:
            issued = datetime.fromisoformat(stated)
        except ValueError:
            return
        key = ("json", str(value.get("id"))[:80], str(value.get("fmspc"))[:80])
        yield key, issued if issued.tzinfo else issued.replace(tzinfo=UTC)
    for child in value.values():
        if isinstance(child, str) and '"issueDate"' in child and len(child) <= MAX_JSON:
            try:  # a signed body that travels as text
                child = json.loads(child)
            except _UNREADABLE:
                continue
        yield from _issue_dates(child, depth - 1)
