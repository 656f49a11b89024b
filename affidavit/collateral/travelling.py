# SPDX-License-Identifier: AGPL-3.0-or-later
"""A producer whose evidence carries its collateral, as members `collateral.<n>`: an audit then needs no network.

Fetched with the first piece of evidence of a session, again after a day, and before anything expires. Without the
services the evidence goes on its way alone, or with what has not expired: a verifier may have collateral of its own,
and a node that stops answering because a vendor's service is down helps nobody.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta

from affidavit.collateral.lifetime import earliest
from affidavit.collateral.source import Piece
from attestation.collateral import recognise
from attestation.errors import EvidenceError
from attestation.producers import Producer
from verifier.appraisal.carried import COLLATERAL_MEMBER
from verifier.errors import VerifierError
from verifier.receipt import MAX_EVIDENCE_MEMBERS

FRESH = timedelta(days=1)
RETRY = timedelta(minutes=10)
"""After a failure: not with every request."""
_LABELS = {"x509": "CERTIFICATE", "crl": "X509 CRL", "ocsp": "OCSP RESPONSE"}


class TravellingProducer:
    """`inner`'s evidence with collateral from `gather` (type, members) -> pieces; `notes` gets a line per problem.

    `collect` may be called by several threads: one fetches; the others wait for it only while there is nothing yet.
    """

    def __init__(
        self,
        inner: Producer,
        gather: Callable[[str, Mapping[str, bytes]], Iterable[Piece]],
        notes: Callable[[str], None],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.type, self.simulated = inner.type, inner.simulated
        self._inner, self._gather, self._notes, self._now = inner, gather, notes, now
        self._lock = threading.Lock()
        self._held: tuple[dict[str, bytes], datetime | None] = ({}, None)
        self._due = datetime.min.replace(tzinfo=UTC)

    def describe(self) -> str:
        """One line for people."""
        return f"{self._inner.describe()}, with collateral"

    def collect(self, challenge: bytes) -> dict[str, bytes]:
        """The inner producer's members, and `collateral.<n>`. Raises as the inner producer does."""
        members = self._inner.collect(challenge)
        if self._now() >= self._due and self._lock.acquire(blocking=not self._held[0]):
            try:
                if self._now() >= self._due:
                    self._renew(members)
            finally:
                self._lock.release()
        carried, expires = self._held
        if expires is not None and expires <= self._now():
            carried = {}
        if len(members) + len(carried) > MAX_EVIDENCE_MEMBERS:
            return dict(members)
        return {**members, **carried}

    def _renew(self, members: Mapping[str, bytes]) -> None:
        now = self._now()
        try:
            pieces = tuple(self._gather(self.type, members))
        except (VerifierError, EvidenceError) as error:
            self._due = now + RETRY
            self._notes(f"no collateral: {error.message}" + (f" ({error.remedy})" if error.remedy else ""))
            return
        carried, expires = pack_members(pieces), earliest(piece.expires for piece in pieces)
        self._held = carried, expires
        self._due = now + FRESH if expires is None else max(now + RETRY, min(now + FRESH, expires - RETRY))
        if len(members) + len(carried) > MAX_EVIDENCE_MEMBERS:
            self._notes(f"no collateral: evidence has room for {MAX_EVIDENCE_MEMBERS} members, and not for these")

    def close(self) -> None:
        """Close the inner producer."""
        self._inner.close()


def pack_members(pieces: Iterable[Piece]) -> dict[str, bytes]:
    """Members `collateral.0`, ...: all certificates, CRLs and OCSP responses in one PEM file; each document by itself.

    PEM, since a receipt names each member by digest and has room for few.
    """
    armoured: dict[str, None] = {}
    documents: dict[bytes, None] = {}
    for piece in pieces:
        for item in recognise(piece.data):
            if item.kind in _LABELS:
                armoured[_pem(_LABELS[item.kind], item.data)] = None
            else:
                documents[piece.data] = None
    files = [*(["".join(armoured).encode("ascii")] if armoured else []), *documents]
    return {f"{COLLATERAL_MEMBER}{index}": data for index, data in enumerate(files)}


def _pem(label: str, data: bytes) -> str:
    text = base64.b64encode(data).decode("ascii")
    lines = "\n".join(text[start : start + 64] for start in range(0, len(text), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n"
