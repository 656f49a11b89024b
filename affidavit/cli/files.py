# SPDX-License-Identifier: AGPL-3.0-or-later
"""Files that a user names: read with limits and typed errors, written whole or not at all."""

from __future__ import annotations

import io
import lzma
import os
import re
import tempfile
import tokenize
import zipfile
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from circuits import Circuit, CircuitError, load_circuit
from verifier.errors import MalformedError, OperationalError
from verifier.policy import DEFAULT_POLICY, Policy, parse_policy

MAX_FILE_BYTES = 1 << 31
MAX_ARRAYS = 256

Arrays = dict[str, npt.NDArray[Any]]

# What zipfile, the decompressors and numpy's header parser raise on hostile bytes. MemoryError and OverflowError: a
# header that declares an array which no memory holds.
_NOT_NPZ = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, tokenize.TokenError, SyntaxError, TypeError, ValueError, KeyError,
    EOFError, OSError, RuntimeError, OverflowError, MemoryError,
)  # fmt: skip


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
        raise MalformedError("file.too-large", f"{path}: more than {limit} bytes")
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


def read_circuit(path: Path) -> Circuit:
    """A circuit file; see ``circuits.load_circuit`` for its errors."""
    try:
        return load_circuit(read_bytes(path))
    except CircuitError as error:
        raise type(error)(error.code, f"{path}: {error.message}", error.remedy) from None


def read_policy(path: Path | None) -> Policy:
    """A policy file, or the built-in policy that trusts nobody."""
    if path is None:
        return DEFAULT_POLICY
    try:
        return parse_policy(read_bytes(path))
    except MalformedError as error:
        raise MalformedError(error.code, f"{path}: {error.message}", remedy=error.remedy) from None


def read_arrays(path: Path) -> Arrays:
    """Named arrays from an ``.npz`` file; see ``parse_arrays``.

    Raises:
        MalformedError: ``input.npz.malformed``, ``input.npz.too-large``.
        OperationalError: ``file.unreadable``.
    """
    return parse_arrays(read_bytes(path), str(path))


def parse_arrays(content: bytes, path: str) -> Arrays:
    """Named arrays from the bytes of an ``.npz`` file, never unpickling anything. ``path``: for the message.

    Raises:
        MalformedError: ``input.npz.malformed``, ``input.npz.too-large``.
    """
    remedy = "make it with numpy: np.savez('x.npz', input=array)"
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            names = {entry.filename for entry in entries}
            if len(names) < len(entries) or not all(name.endswith(".npy") for name in names):
                raise ValueError("a member twice, or one that is no array")
            if len(entries) > MAX_ARRAYS or sum(entry.file_size for entry in entries) > MAX_FILE_BYTES:
                raise MalformedError("input.npz.too-large", f"{path}: too many or too large arrays")
        with np.load(io.BytesIO(content), allow_pickle=False) as loaded:
            return {name: loaded[name] for name in loaded.files}
    except _NOT_NPZ as error:
        message = f"{path}: not an .npz file of plain arrays ({str(error)[:80]})"
        raise MalformedError("input.npz.malformed", message, remedy=remedy) from None


_HEX32 = re.compile(r"[0-9a-fA-F]{64}\Z")


def parse_hex32(text: str, what: str) -> bytes:
    """32 bytes from hex; raises MalformedError ``option.malformed``."""
    if not _HEX32.match(text):
        raise MalformedError("option.malformed", f"{what}: expected 64 hex digits, found {text[:80]!r}")
    return bytes.fromhex(text)


def parse_time(text: str | None) -> datetime:
    """RFC 3339 time, or now; raises MalformedError ``option.malformed``."""
    if text is None:
        return datetime.now(UTC)
    try:
        found = datetime.fromisoformat(text)
        found = (found.replace(tzinfo=UTC) if found.tzinfo is None else found).astimezone(UTC)
    except (ValueError, OverflowError):
        raise MalformedError(
            "option.malformed", f"--at: expected a time like 2026-11-21T10:00:00Z, found {text[:60]!r}"
        ) from None
    return found
