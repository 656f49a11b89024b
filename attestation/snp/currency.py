# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is the firmware up to date, as far as AMD's bulletins are known? The lines and claims of `bulletins`."""

from __future__ import annotations

from datetime import date, datetime

from attestation.contract import Check, Claim
from attestation.snp.bulletins import UP_TO_DATE, merge, stand
from attestation.snp.products import Product
from attestation.snp.published import AS_OF, BULLETINS, LAUNCHED
from attestation.snp.report import Report
from attestation.snp.trust import SnpTrust

ID = "evidence.snp"
_SHOWN = 12


def check_currency(
    report: Report, product: Product, trust: SnpTrust, at: datetime
) -> tuple[list[Check], dict[str, Claim]]:
    """The line `tcb-status`, `advisories` where the policy denies some, and the claims of both.

    Bulletins published after `at` do not count: an appraisal says the same whenever it is repeated.
    """
    known = merge(BULLETINS, trust.bulletins) if trust.bulletins else BULLETINS
    as_of = max([AS_OF, *(bulletin.date for bulletin in trust.bulletins)])
    standing = stand(report, product, known, LAUNCHED[product.name], at)
    tolerated = standing.status in trust.bulletin_statuses
    checks = [
        Check(
            f"{ID}.tcb-status",
            "PASS" if tolerated else "FAIL",
            _shown(standing.status, standing.missing),
            f"{' or '.join(sorted(trust.bulletin_statuses)) or 'nothing'}, by bulletins as of {as_of}",
            "" if tolerated else f"{ID}.tcb-out-of-date" if standing.status != UP_TO_DATE else f"{ID}.tcb-up-to-date",
            category="hardware",
            warning=tolerated and standing.status != UP_TO_DATE,
        )
    ]
    if trust.denied_advisories:
        denied = [name for name in standing.missing if name in trust.denied_advisories]
        checks.append(
            Check(
                f"{ID}.advisories",
                "FAIL" if denied else "PASS",
                _shown("open", tuple(denied)) if denied else "none of the denied",
                f"none of {len(trust.denied_advisories)} denied",
                f"{ID}.advisory-denied" if denied else "",
                category="hardware",
            )
        )
    return checks, {
        "tcb_status": standing.status,
        "tcb_date": _midnight(standing.date),
        "advisories": list(standing.missing),
        "bulletins_as_of": as_of.isoformat(),
    }


def _shown(word: str, names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{word}: {', '.join(names[:_SHOWN])}{more}" if names else word


def _midnight(day: date) -> str:
    return f"{day.isoformat()}T00:00:00Z"
