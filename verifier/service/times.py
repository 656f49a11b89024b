# SPDX-License-Identifier: AGPL-3.0-or-later
"""Time in the database: microseconds since 1970 UTC as an integer, one meaning on every engine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)


def now() -> datetime:
    """The system clock, in UTC; the one place where the service reads it."""
    return datetime.now(UTC)


def to_ticks(at: datetime) -> int:
    """Microseconds since the epoch of an aware time."""
    return (at - _EPOCH) // _TICK


def from_ticks(ticks: int) -> datetime:
    """The time of so many microseconds since the epoch, in UTC."""
    return _EPOCH + ticks * _TICK


def to_text(ticks: int) -> str:
    """RFC 3339 with microseconds, always 27 characters."""
    at = _EPOCH + ticks * _TICK
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f").zfill(26) + "Z"
