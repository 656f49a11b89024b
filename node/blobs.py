# SPDX-License-Identifier: AGPL-3.0-or-later
"""Bytes by SHA-256 behind one small interface: a folder today, another kind of store by another class."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from node.errors import OperationalError
from node.files import TEMPORARY, write_atomically

_HEX = re.compile(r"[0-9a-f]{64}\Z")


class Blobs(Protocol):
    """Where requests and answers lie; digests are 64 lower-case hex digits."""

    def put(self, data: bytes) -> str:
        """Keep ``data`` durably; returns its digest."""
        ...

    def get(self, digest: str) -> bytes:
        """The content; raises ``node.blobs.missing`` or ``node.blobs.damaged``."""
        ...

    def delete(self, digest: str) -> None:
        """Forget it; no error when it is not there."""
        ...

    def digests(self) -> Iterator[str]:
        """Everything that is kept."""
        ...


class FolderBlobs:
    """A folder with one file per blob, named by its digest; mode 0600, written in one step."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for left_over in folder.glob(f"{TEMPORARY}*"):
                left_over.unlink(missing_ok=True)
        except OSError as error:
            raise _unusable(error) from None

    def put(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        try:
            write_atomically(self._folder / digest, data)
        except OSError as error:
            raise _unusable(error) from None
        return digest

    def get(self, digest: str) -> bytes:
        try:
            data = (self._folder / digest).read_bytes()
        except FileNotFoundError:
            raise OperationalError("node.blobs.missing", f"blob {digest[:16]} is not here any more") from None
        except OSError as error:
            raise _unusable(error) from None
        if hashlib.sha256(data).hexdigest() != digest:
            raise OperationalError("node.blobs.damaged", f"blob {digest[:16]} is not what was written")
        return data

    def delete(self, digest: str) -> None:
        try:
            (self._folder / digest).unlink(missing_ok=True)
        except OSError as error:
            raise _unusable(error) from None

    def digests(self) -> Iterator[str]:
        yield from [entry.name for entry in self._folder.iterdir() if _HEX.match(entry.name)]


def _unusable(error: OSError) -> OperationalError:
    return OperationalError(
        "node.blobs.unusable",
        f"the node's blob folder cannot be used ({error.strerror or type(error).__name__})",
        remedy="its operator should check free space and permissions",
    )
