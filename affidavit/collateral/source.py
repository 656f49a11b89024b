# SPDX-License-Identifier: AGPL-3.0-or-later
"""Cache and transfer together: what may be used when.

=====================================  ========================================
what is kept                           what happens
=====================================  ========================================
younger than a day, not expired        used; no network
older, not expired                     fetched again; used when that fails
expired                                never used
=====================================  ========================================

"Expired" is what the piece says: next update of a CRL, of TCB information, of an OCSP response; end of a certificate.
A fresh answer that has expired, or is something else than was asked for, is a failure like any other; so is a
revocation list older than one seen before (`marks`), which is not used from the cache either.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from affidavit.collateral.cache import Cache, Kept
from affidavit.collateral.lifetime import earliest, expires
from affidavit.collateral.marks import Marks
from affidavit.collateral.transfer import Answer, Request
from attestation.errors import EvidenceError
from verifier.errors import OperationalError, UnsupportedError, VerifierError

FRESH = timedelta(days=1)
_WORD = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")


@dataclass(frozen=True)
class Piece:
    """A file of collateral. `label` and `suffix` make its name; `expires` None where it does not say.

    Raises `ValueError` for a label that is more than a word: names of files are ours, never what a service says.
    """

    label: str
    suffix: str
    data: bytes
    url: str
    fetched_at: datetime
    expires: datetime | None

    def __post_init__(self) -> None:
        if not _WORD.match(self.label) or not _WORD.match(self.suffix):
            raise ValueError(f"no name for a file: {self.label[:60]!r}, {self.suffix[:60]!r}")


Accept = Callable[[Answer], Sequence[tuple[str, str, bytes]]]
"""Answer to (label, suffix, bytes) of each file in it; raises `EvidenceError` or `ValueError` for something else."""


class Source:
    """Where pieces come from. `notes` collects, in a line each, what was used although its service failed."""

    def __init__(
        self,
        transfer: Callable[[Request], Answer],
        cache: Cache | None = None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        fresh: timedelta = FRESH,
    ) -> None:
        self._transfer, self._cache, self._now, self._fresh = transfer, cache, now, fresh
        self._marks = Marks() if cache is None else cache.marks()
        self.notes: list[str] = []

    def get(self, request: Request, accept: Accept) -> tuple[Piece, ...]:
        """The pieces of one answer.

        Raises:
            UnsupportedError: ``collateral.absent``.
            OperationalError: as `Transfer`; ``collateral.content-wrong``, ``.expired``, ``.rolled-back``.
        """
        now = self._now()
        kept = None if self._cache is None else self._cache.load(request)
        held: tuple[Piece, ...] = ()
        if kept is not None:
            try:
                held = _pieces(request, kept, accept, now)
                self._marks.check((piece.label, piece.data) for piece in held)
            except OperationalError:
                kept = None
        if kept is not None and timedelta(0) <= now - kept.fetched_at < self._fresh:
            return held
        try:
            return self._fetch(request, accept, now)
        except (OperationalError, UnsupportedError) as error:
            if kept is None:
                raise
            when = kept.fetched_at.isoformat(timespec="seconds")
            self.notes.append(f"{error.message}; used what was fetched at {when} and has not expired")
            return held

    def _fetch(self, request: Request, accept: Accept, now: datetime) -> tuple[Piece, ...]:
        kept = Kept(self._transfer(request), now)
        pieces = _pieces(request, kept, accept, now)
        marks = self._marks.check((piece.label, piece.data) for piece in pieces)
        try:
            self._marks.keep(marks)
            if self._cache is not None:
                self._cache.store(request, kept)
        except VerifierError as error:
            self.notes.append(f"not kept: {error.message}")
        return pieces


def _pieces(request: Request, kept: Kept, accept: Accept, now: datetime) -> tuple[Piece, ...]:
    place = request.url.partition("?")[0][:160]
    try:
        found = accept(kept.answer)
        pieces = tuple(
            Piece(label, suffix, data, request.url, kept.fetched_at, expires(data)) for label, suffix, data in found
        )
    except (EvidenceError, ValueError, RecursionError) as error:
        raise OperationalError(
            "collateral.content-wrong",
            f"{place}: not what was asked for ({str(error)[:120]})",
            remedy="check that nothing stands between this machine and the service",
        ) from None
    end = earliest(piece.expires for piece in pieces)
    if end is not None and end <= now:
        raise OperationalError("collateral.expired", f"{place}: expired {end.isoformat()}")
    return pieces
