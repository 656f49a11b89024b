# SPDX-License-Identifier: AGPL-3.0-or-later
"""Files that a user names, as what they hold: circuits, policies, arrays; and options that are text."""

from __future__ import annotations

import io
import lzma
import re
import tokenize
import zipfile
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from affidavit.disk import MAX_FILE_BYTES, read_bytes, write_bytes
from circuits import Circuit, CircuitError, load_circuit
from verifier.errors import MalformedError
from verifier.policy import DEFAULT_POLICY, Policy, parse_policy
from verifier.policy import MAX_BYTES as MAX_POLICY

__all__ = [
    "MAX_ARRAYS",
    "MAX_FILE_BYTES",
    "Arrays",
    "parse_arrays",
    "parse_hex32",
    "parse_time",
    "read_arrays",
    "read_bytes",
    "read_circuit",
    "read_policy",
    "write_bytes",
]

MAX_ARRAYS = 256

Arrays = dict[str, npt.NDArray[Any]]

# What zipfile, the decompressors and numpy's header parser raise on hostile bytes. MemoryError and OverflowError: a
# header that declares an array which no memory holds.
_NOT_NPZ = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, tokenize.TokenError, SyntaxError, TypeError, ValueError, KeyError,
    EOFError, OSError, RuntimeError, OverflowError, MemoryError,
)  # fmt: skip


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
    data = read_bytes(path, limit=MAX_POLICY)
    try:
        return parse_policy(data)
    except MalformedError as error:
        remedy = error.remedy or "docs/spec/policy-v1.md has what a policy can say; affidavit policy new writes one"
        raise MalformedError(error.code, f"{path}: {error.message}", remedy=remedy) from None


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


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HEX32 = re.compile(r"[0-9a-fA-F]{64}\Z")


def parse_hex32(text: str, what: str) -> bytes:
    """32 bytes from hex; raises MalformedError ``option.malformed``."""
    if not _HEX32.match(text):
        raise MalformedError(
            "option.malformed",
            f"{what}: expected 64 hex digits, found {text[:80]!r}",
            remedy="give 32 bytes as hex digits, without spaces or prefix",
        )
    return bytes.fromhex(text)


def parse_time(text: str | None, what: str = "--at") -> datetime:
    """RFC 3339 time, or now; raises MalformedError ``option.malformed``."""
    if text is None:
        return datetime.now(UTC)
    try:
        found = datetime.fromisoformat(text)
        found = (found.replace(tzinfo=UTC) if found.tzinfo is None else found).astimezone(UTC)
        if found < _EPOCH:
            raise ValueError("before the times that signed results can state")
    except (ValueError, OverflowError):
        raise MalformedError(
            "option.malformed",
            f"{what}: expected a time like 2026-11-21T10:00:00Z, found {text[:60]!r}",
            remedy="give date and time with their zone (RFC 3339); without a zone it is UTC",
        ) from None
    return found
