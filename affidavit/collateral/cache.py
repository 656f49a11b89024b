# SPDX-License-Identifier: AGPL-3.0-or-later
"""Answers on disk: one file each, written whole or not at all, checked when read.

::

    <SHA-256 of the request>        {"url": ..., "fetched_at": ..., "sha256": ..., "headers": {...}} LF body

The digest is for damage, not for trust. A file that cannot be read, or is not as it was written, is no answer.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from affidavit import disk
from affidavit.collateral.marks import Marks
from affidavit.collateral.transfer import Answer, Request
from verifier.errors import OperationalError, VerifierError

MAX_ENTRY = 20 << 20
MAX_HEAD = 1 << 18
KEPT_HEADERS = frozenset(
    {
        "tcb-info-issuer-chain",
        "sgx-tcb-info-issuer-chain",
        "sgx-enclave-identity-issuer-chain",
        "sgx-pck-crl-issuer-chain",
    }
)


@dataclass(frozen=True)
class Kept:
    """An answer, and when it came."""

    answer: Answer
    fetched_at: datetime


class Cache:
    """A folder of answers; shared by processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def marks(self) -> Marks:
        """What is remembered of the newest revocation lists."""
        return Marks(self._folder)

    def load(self, request: Request) -> Kept | None:
        """The answer that is kept, or None."""
        try:
            data = disk.read_bytes(self._path(request), limit=MAX_ENTRY)
        except VerifierError:
            return None
        head, separator, body = data.partition(b"\n")
        if not separator or len(head) > MAX_HEAD:
            return None
        try:
            said: Any = json.loads(head)
            fetched = datetime.fromisoformat(said["fetched_at"])
            when = fetched.astimezone(UTC)
            intact = said["url"] == request.url and said["sha256"] == hashlib.sha256(body).hexdigest()
            headers = {str(name): str(value) for name, value in said["headers"].items()}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
            return None
        if not intact or fetched.tzinfo is None or len(body) > request.limit:
            return None
        return Kept(Answer(body, headers), when)

    def store(self, request: Request, kept: Kept) -> None:
        """Keep an answer. Raises `OperationalError` with `file.unwritable`."""
        head = {
            "url": request.url,
            "fetched_at": kept.fetched_at.isoformat(),
            "sha256": hashlib.sha256(kept.answer.body).hexdigest(),
            "headers": {name: value for name, value in kept.answer.headers.items() if name in KEPT_HEADERS},
        }
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise OperationalError(
                "file.unwritable", f"{self._folder}: {error.strerror or error}", remedy="name another cache"
            ) from None
        disk.write_bytes(self._path(request), json.dumps(head).encode("ascii") + b"\n" + kept.answer.body)

    def _path(self, request: Request) -> Path:
        return self._folder / hashlib.sha256(request.key).hexdigest()
