# SPDX-License-Identifier: AGPL-3.0-or-later
"""Facts about a node's key, counted from what was recorded. Not a reputation.

Only files whose receipt the key did sign count: anybody can write somebody's key into a file. A signed
receipt can still be shown in a damaged file or under a wrong nonce, by anybody; so a REJECT here is no proof
of a fault, counts are of distinct receipts, and the score of a receipt is the best that anyone showed for it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import distinct, func, select

from verifier.service import schema
from verifier.service.database import Database
from verifier.service.times import to_text
from verifier.verdict import Verdict

_ROWS = schema.verifications.c


def facts(database: Database, key: str) -> dict[str, Any] | None:
    """What is known of the node with key id ``key`` (64 hex digits); ``None`` if nothing is."""
    mine = (_ROWS.node == key, _ROWS.signed.is_(True))
    by_verdict = select(_ROWS.verdict, func.count(distinct(_ROWS.receipt))).where(*mine).group_by(_ROWS.verdict)
    span = select(
        func.min(_ROWS.recorded_at),
        func.max(_ROWS.recorded_at),
        func.count(),
        func.count(distinct(_ROWS.receipt)),
        func.count(distinct(_ROWS.reuse_of)),
    ).where(*mine)
    best = select(func.max(_ROWS.score).label("score")).where(*mine).group_by(_ROWS.receipt).subquery()
    with database.snapshot() as connection:
        first, last, shown, receipts, reuses = connection.execute(span).one()
        if not shown:
            return None
        counts = {row[0]: row[1] for row in connection.execute(by_verdict)}
        total = connection.execute(select(func.sum(best.c.score))).scalar_one()
    return {
        "key_id": key,
        "first_seen": to_text(first),
        "last_seen": to_text(last),
        "verifications": shown,
        "receipts": receipts,
        "receipts_by_verdict": {v.value: counts.get(v.value, 0) for v in Verdict if v is not Verdict.ERROR},
        "nonces_reused": reuses,
        "mean_score_permille": int(total) // receipts,
    }
