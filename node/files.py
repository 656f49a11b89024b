# SPDX-License-Identifier: AGPL-3.0-or-later
"""Writing files so that a crash leaves either the old content or the new, never a half."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import BinaryIO

TEMPORARY = ".new-"


def open_private(path: Path) -> BinaryIO:
    """Create ``path`` (mode 0600, must not exist), for writing."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb")


def write_private(path: Path, data: bytes) -> None:
    """Create ``path`` (mode 0600, must not exist) and force its content to disk."""
    opened = open_private(path)
    try:
        with opened as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def sync_directory(directory: Path) -> None:
    """Force the directory's entries to disk, so that a rename in it survives a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, data: bytes) -> None:
    """Put ``data`` at ``path``, replacing what stood there, in one step."""
    temporary = path.with_name(f"{TEMPORARY}{secrets.token_hex(8)}")
    write_private(temporary, data)
    try:
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_directory(path.parent)
