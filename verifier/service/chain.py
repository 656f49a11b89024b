# SPDX-License-Identifier: AGPL-3.0-or-later
"""The audit log's hash chain, without a database: what an auditor needs to check a downloaded log.

::

    digest[n] = SHA-256("affidavit/audit@v1" || 0x00 || u64be n || digest[n-1] || entry[n])      n = 1, 2, ...
    digest[0] = 32 zero bytes

``entry`` is canonical JSON (:func:`verifier.strict_json.dumps`) and is hashed as stored, never re-made.
Whoever remembers one digest can tell later whether anything up to there was changed or removed.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from verifier.errors import RejectedError

LABEL = b"affidavit/audit@v1\x00"
GENESIS = bytes(32)


@dataclass(frozen=True)
class Link:
    """One entry of the log: its number from 1, its bytes, the digest before it and its own."""

    seq: int
    entry: bytes
    previous: bytes
    digest: bytes


def link_digest(seq: int, previous: bytes, entry: bytes) -> bytes:
    """32 bytes over the entry and everything before it."""
    return hashlib.sha256(LABEL + struct.pack(">Q", seq) + previous + entry).digest()


def check_links(links: Iterable[Link], *, seq: int = 0, digest: bytes = GENESIS) -> tuple[int, bytes]:
    """Follow ``links`` from a point already known (``seq``, ``digest``); the default is the beginning.

    Returns:
        Number and digest of the last link; the given ones when there is none.

    Raises:
        RejectedError: ``service.audit.gap`` (an entry is missing), ``service.audit.previous-mismatch`` (an
            entry does not continue the one before), ``service.audit.digest-mismatch`` (an entry was changed).
    """
    for link in links:
        if link.seq != seq + 1:
            raise RejectedError("service.audit.gap", f"entry {link.seq} stands behind {seq}, {seq + 1} required")
        if link.previous != digest:
            raise RejectedError(
                "service.audit.previous-mismatch",
                f"entry {link.seq} continues {link.previous.hex()[:16]}, {digest.hex()[:16]} required",
            )
        computed = link_digest(link.seq, link.previous, link.entry)
        if link.digest != computed:
            raise RejectedError(
                "service.audit.digest-mismatch",
                f"entry {link.seq}: digest {link.digest.hex()[:16]}, its content gives {computed.hex()[:16]}",
            )
        seq, digest = link.seq, link.digest
    return seq, digest
