# SPDX-License-Identifier: AGPL-3.0-or-later
"""Files: read with limits and typed errors, written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from verifier.errors import MalformedError, OperationalError

MAX_FILE_BYTES = 1 << 31


def read_bytes(path: Path, *, limit: int = MAX_FILE_BYTES) -> bytes:
    """A whole file of at most ``limit`` bytes.

    Raises:
        OperationalError: ``file.unreadable``.
        MalformedError: ``file.too-large``.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(limit + 1)
    except OSError as error:
        raise OperationalError(
            "file.unreadable",
            f"{path}: {error.strerror or error}",
            remedy="check the path and its permissions",
        ) from None
    if len(data) > limit:
        raise MalformedError("file.too-large", f"{path}: more than {limit} bytes", remedy="is this the right file?")
    return data


def write_bytes(path: Path, data: bytes, *, mode: int | None = None) -> None:
    """Write via a temporary file in the same folder and rename, so that a reader never sees half a file.

    ``mode`` are the permissions; by default what the umask leaves of 0666.

    Raises:
        OperationalError: ``file.unwritable``; nothing is left behind.
    """
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o666 & ~_umask() if mode is None else mode)
        Path(temporary).replace(path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise OperationalError(
            "file.unwritable",
            f"{path}: {error.strerror or error}",
            remedy="name a file in a folder that exists and that you may write",
        ) from None


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
