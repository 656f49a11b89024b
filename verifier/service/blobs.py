# SPDX-License-Identifier: AGPL-3.0-or-later
"""Content by SHA-256, behind one small interface; a folder on this machine implements it."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
from pathlib import Path
from typing import Protocol

from verifier.errors import OperationalError

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


class BlobStore(Protocol):
    """Immutable content by digest (64 lower-case hex digits)."""

    def put(self, content: bytes) -> str:
        """Store durably and return the digest."""

    def get(self, digest: str) -> bytes | None:
        """The content, ``None`` when it is not held."""


class FolderBlobs:
    """Blobs as files ``root/ab/abcd...``, written beside and renamed into place, so that none is ever half
    there.

    Args:
        root: the folder, created when absent.
        min_free_bytes: writing stops while the file system has less room than this.

    Raises:
        OperationalError: ``service.storage.unavailable`` when the folder cannot be made or written,
            ``service.storage.full``, ``service.blob.corrupt`` when a file no longer has its digest.
    """

    def __init__(self, root: Path, *, min_free_bytes: int = 0) -> None:
        self._root = root
        self._min_free_bytes = min_free_bytes
        try:
            root.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise _unavailable(error) from error

    def _path(self, digest: str) -> Path:
        if not _DIGEST.match(digest):
            raise ValueError("a digest is 64 lower-case hex digits")
        return self._root / digest[:2] / digest

    def put(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        path = self._path(digest)
        try:
            if path.is_file() and path.read_bytes() == content:  # a damaged file is written anew
                return digest
            if shutil.disk_usage(self._root).free < self._min_free_bytes + len(content):
                raise OperationalError(
                    "service.storage.full",
                    f"less than {self._min_free_bytes} bytes would be left",
                    remedy="make room where the service keeps its blobs",
                )
            path.parent.mkdir(exist_ok=True, mode=0o700)
            beside = path.with_name(f".{digest}.{secrets.token_hex(8)}")
            try:
                with beside.open("xb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                beside.replace(path)
            finally:
                beside.unlink(missing_ok=True)
            for folder in (path.parent, self._root):
                _sync_folder(folder)
        except OSError as error:
            raise _unavailable(error) from error
        return digest

    def get(self, digest: str) -> bytes | None:
        try:
            content = self._path(digest).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unavailable(error) from error
        if hashlib.sha256(content).hexdigest() != digest:
            raise OperationalError("service.blob.corrupt", f"blob {digest[:16]} no longer has its digest")
        return content


def _unavailable(error: OSError) -> OperationalError:
    return OperationalError(
        "service.storage.unavailable",
        f"the blob folder cannot be used ({error.strerror or type(error).__name__})",
        remedy="check that the folder exists and is writable",
    )


def _sync_folder(folder: Path) -> None:
    """Make a rename durable; systems that cannot open a folder need no such step."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # Windows
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
