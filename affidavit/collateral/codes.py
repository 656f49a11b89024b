# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every code of fetching, keeping and packing collateral with its meaning, one line each. Codes are never renamed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

CODES: Mapping[str, str] = MappingProxyType(
    {
        "collateral.absent": "a service does not have what was asked for",
        "collateral.chip-masked": "the report hides its chip, so that nobody can ask for the chip's certificate",
        "collateral.content-wrong": "a service sends something else than what was asked for",
        "collateral.evidence-unreadable": "evidence in which there is nothing to ask for collateral by",
        "collateral.expired": "a service sends what may no longer be used",
        "collateral.pack.malformed": "not a collateral pack in its one encoding",
        "collateral.pack.no-date": "collateral of which nobody says when it was fetched",
        "collateral.pack.empty": "no collateral to pack",
        "collateral.redirected": "a service sends elsewhere, which is not followed",
        "collateral.refused": "a service refuses the request",
        "collateral.rolled-back": "a service sends a revocation list older than one of its issuer that was seen before",
        "collateral.services-malformed": "a file of services is not in its form",
        "collateral.throttled": "a service asks for more patience than there is",
        "collateral.too-large": "a service sends more than such a piece ever has",
        "collateral.type-unsupported": "a type of evidence for which nothing is fetched",
        "collateral.unavailable": "a service does not answer, or says that it cannot",
    }
)
