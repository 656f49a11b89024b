# SPDX-License-Identifier: AGPL-3.0-or-later
"""Ciphertexts and evaluation keys that clients sent ahead: bytes under their SHA-256, for an hour, never read here.

A request then names them, so that the keys of a session travel once. What is kept is what the network brought: nothing
in this process parses it (:mod:`fhe.pool` does, in a sandbox).
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from node.errors import MalformedError, OperationalError, UnsupportedError
from node.files import TEMPORARY, write_atomically

KEPT_SECONDS = 3600.0
MAX_TOTAL_BYTES = 1 << 30
MAX_UPLOADS = 1024


class Uploads:
    """A folder of uploads; safe for several threads.

    Args:
        folder: made with mode 0700; what an earlier process left in it is forgotten in time.
        seconds: how long an upload is kept after it was last sent or used.
        total: bytes of all uploads together.
        clock: seconds, as file times have them.
    """

    def __init__(
        self,
        folder: Path,
        *,
        seconds: float = KEPT_SECONDS,
        total: int = MAX_TOTAL_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder, self._seconds, self._total, self._clock = folder, seconds, total, clock
        self._lock = threading.Lock()

    def put(self, data: bytes) -> bytes:
        """Keep some bytes; their SHA-256.

        Raises:
            MalformedError: ``request.upload.malformed`` for none.
            OperationalError: ``node.uploads.full``, ``node.blobs.unusable``.
        """
        if not data:
            raise MalformedError("request.upload.malformed", "an empty upload")
        digest = hashlib.sha256(data).digest()
        with self._lock:
            try:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                kept = self._swept()
                path = self._folder / digest.hex()
                if self._read(digest) is None:
                    if len(kept) >= MAX_UPLOADS or sum(kept) + len(data) > self._total:
                        raise OperationalError(
                            "node.uploads.full",
                            f"{len(kept)} uploads with {sum(kept)} bytes are kept already",
                            remedy="send it again later",
                        )
                    write_atomically(path, data)
                os.utime(path)
            except OSError as error:
                raise OperationalError(
                    "node.blobs.unusable", f"the node's folder cannot be used ({error.strerror or 'error'})"
                ) from None
        return digest

    def get(self, digest: bytes) -> bytes:
        """What was sent; raises UnsupportedError ``request.upload.missing``."""
        data = self._read(digest)
        if data is None:
            raise UnsupportedError(
                "request.upload.missing",
                f"nothing with SHA-256 {digest.hex()[:16]} was sent to this node, or not lately",
                remedy="send ciphertexts and keys to /v1/uploads first",
            )
        return data

    def _read(self, digest: bytes) -> bytes | None:
        """What lies there, if it is what was sent; used just now."""
        path = self._folder / digest.hex()
        try:
            data = path.read_bytes()
            os.utime(path)  # and never `touch`, which would make an empty file where one has just been swept away
        except OSError:
            return None
        return data if hashlib.sha256(data).digest() == digest else None

    def _swept(self) -> list[int]:
        """Sizes of what is left after what is too old is gone."""
        sizes, before = [], self._clock() - self._seconds
        for entry in self._folder.iterdir():
            status = entry.stat()
            if entry.name.startswith(TEMPORARY) or status.st_mtime < before:
                entry.unlink(missing_ok=True)
            else:
                sizes.append(status.st_size)
        return sizes
