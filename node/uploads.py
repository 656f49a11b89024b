# SPDX-License-Identifier: AGPL-3.0-or-later
"""Ciphertexts and evaluation keys that clients sent ahead: bytes under their SHA-256, for an hour, never read here.

A request then names them, so that the keys of a session travel once. What is kept is what the network brought: nothing
in this process parses it (:mod:`fhe.pool` does, in a sandbox). Each client has a folder and a share of its own, so that
none can fill the node for the others; whoever knows a digest may name it, whoever sent it. An upload goes to disk piece
by piece as it comes in, since batches are larger than what should lie in memory.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from types import TracebackType

from node.errors import MalformedError, OperationalError, UnsupportedError
from node.files import open_private, sync_directory

KEPT_SECONDS = 3600.0
MAX_TOTAL_BYTES = 4 << 30
MAX_UPLOADS = 1024
CLIENT_PART = 4
"""A client may fill so much less than all of the room, in bytes and in number."""
LOCAL = "local"
"""Whoever runs the node in its own process."""
_INCOMING = "incoming"


class Incoming(AbstractContextManager["Incoming"]):
    """An upload that is coming in: a file of its own, which is gone at the end unless it was kept."""

    def __init__(self, path: Path) -> None:
        self.path, self.size = path, 0
        self._hash = hashlib.sha256()
        with _usable():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            self._file = open_private(path)

    def write(self, piece: bytes) -> None:
        """The next bytes; raises OperationalError ``node.blobs.unusable``."""
        with _usable():
            self._file.write(piece)
        self._hash.update(piece)
        self.size += len(piece)

    def finish(self) -> bytes:
        """Force it to disk; the SHA-256 of all of it. Raises OperationalError ``node.blobs.unusable``."""
        with _usable():
            self._file.flush()
            os.fsync(self._file.fileno())
        return self._hash.digest()

    def read(self, size: int = -1) -> bytes:
        """The first bytes of what was finished, or all; raises OperationalError ``node.blobs.unusable``."""
        with _usable(), self.path.open("rb") as file:
            return file.read(size)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self.path.unlink(missing_ok=True)


class Uploads:
    """A folder of uploads; safe for several threads.

    Args:
        folder: made with mode 0700; what an earlier process left in it is forgotten in time, and its halves by
            :meth:`forget_halves`.
        seconds: how long an upload is kept after it was last sent or used; longer while it is needed.
        total: bytes of all uploads together; :data:`MAX_TOTAL_BYTES` by default.
        clock: seconds, as file times have them.
    """

    def __init__(
        self,
        folder: Path,
        *,
        seconds: float = KEPT_SECONDS,
        total: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder, self._seconds, self._clock = folder, seconds, clock
        self._total = MAX_TOTAL_BYTES if total is None else total
        self._lock = threading.Lock()
        self._needed: Counter[bytes] = Counter()

    def forget_halves(self) -> None:
        """Drop what an earlier process was being sent; only for whoever has the folder to itself."""
        shutil.rmtree(self._folder / _INCOMING, ignore_errors=True)

    def begin(self) -> Incoming:
        """Take in an upload; raises OperationalError ``node.blobs.unusable``."""
        with _usable():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Incoming(self._folder / _INCOMING / secrets.token_hex(8))

    def put(self, data: bytes, client: str = LOCAL) -> bytes:
        """Keep bytes that are here already; raises as :meth:`keep`."""
        with self.begin() as incoming:
            incoming.write(data)
            return self.keep(incoming, client)

    def keep(self, incoming: Incoming, client: str = LOCAL) -> bytes:
        """Keep what came in; its SHA-256.

        Args:
            incoming: all of what was sent.
            client: who sent it; its folder's name follows from it.

        Raises:
            MalformedError: ``request.upload.malformed`` for none.
            OperationalError: ``node.uploads.quota``, ``node.uploads.full``, ``node.blobs.unusable``.
        """
        if not incoming.size:
            raise MalformedError("request.upload.malformed", "an empty upload")
        digest = incoming.finish()
        own = self._folder / hashlib.sha256(client.encode()).hexdigest()[:32]
        path = own / digest.hex()
        with self._lock, _usable():
            kept = self._swept()
            if not _lies(path, digest):
                self._check_room(kept, kept.get(own, []), incoming.size)
                own.mkdir(mode=0o700, exist_ok=True)
                incoming.path.replace(path)
                sync_directory(own)
                sync_directory(self._folder)  # where a client's first upload made a folder
            os.utime(path)
        return digest

    def get(self, digest: bytes) -> bytes:
        """What was sent, by whomever; raises UnsupportedError ``request.upload.missing``."""
        for path in self._places(digest):
            data = _read(path, digest)
            if data is not None:
                return data
        raise _missing(digest)

    def need(self, digests: Iterable[bytes]) -> None:
        """Keep these, however old they get, until :meth:`release` as often."""
        with self._lock:
            self._needed.update(digests)

    def release(self, digests: Iterable[bytes]) -> None:
        """The opposite of :meth:`need`."""
        with self._lock:
            self._needed.subtract(digests)
            self._needed = +self._needed

    def check(self, digest: bytes) -> None:
        """Raise what :meth:`get` would; holds no more than a piece of it in memory."""
        if not any(_lies(path, digest) for path in self._places(digest)):
            raise _missing(digest)

    def _places(self, digest: bytes) -> list[Path]:
        with suppress(OSError):
            return [own / digest.hex() for own in self._folder.iterdir()]
        return []

    def _check_room(self, kept: dict[Path, list[int]], own: list[int], size: int) -> None:
        most, share = MAX_UPLOADS // CLIENT_PART, self._total // CLIENT_PART
        if len(own) >= most or sum(own) + size > share:
            raise OperationalError(
                "node.uploads.quota",
                f"{len(own)} uploads with {sum(own)} bytes are this client's; at most {most} with {share} bytes",
                remedy="send keys once a session, and less at a time; uploads are forgotten after an hour",
            )
        sizes = [one for client in kept.values() for one in client]
        if len(sizes) >= MAX_UPLOADS or sum(sizes) + size > self._total:
            raise OperationalError(
                "node.uploads.full",
                f"{len(sizes)} uploads with {sum(sizes)} bytes are kept already",
                remedy="send it again later",
            )

    def _swept(self) -> dict[Path, list[int]]:
        """Sizes of what is left, by client, after what is too old is gone."""
        kept: dict[Path, list[int]] = {}
        before, needed = self._clock() - self._seconds, {digest.hex() for digest in self._needed}
        for own in self._folder.iterdir():
            if own.name == _INCOMING:
                continue
            if not own.is_dir():
                own.unlink(missing_ok=True)  # no client's
                continue
            sizes = []
            for entry in own.iterdir():
                status = entry.stat()
                if status.st_mtime < before and entry.name not in needed:
                    entry.unlink(missing_ok=True)
                else:
                    sizes.append(status.st_size)
            if sizes:
                kept[own] = sizes
            else:
                own.rmdir()
        return kept


@contextmanager
def _usable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OperationalError(
            "node.blobs.unusable", f"the node's folder cannot be used ({error.strerror or 'error'})"
        ) from None


def _missing(digest: bytes) -> UnsupportedError:
    return UnsupportedError(
        "request.upload.missing",
        f"nothing with SHA-256 {digest.hex()[:16]} was sent to this node, or not lately",
        remedy="send ciphertexts and keys to /v1/uploads first",
    )


def _lies(path: Path, digest: bytes) -> bool:
    """Whether what was sent lies there; used just now. Read piece by piece."""
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").digest()
        os.utime(path)
    except OSError:
        return False
    return found == digest


def _read(path: Path, digest: bytes) -> bytes | None:
    """What lies there, if it is what was sent; used just now."""
    try:
        data = path.read_bytes()
        os.utime(path)  # and never `touch`, which would make an empty file where one has just been swept away
    except OSError:
        return None
    return data if hashlib.sha256(data).digest() == digest else None
