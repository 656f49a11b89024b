# SPDX-License-Identifier: AGPL-3.0-or-later
"""A folder of fetched pieces, and its index: where each came from, when, and until when it may be used.

::

    fetched.json    {"format": "collateral-folder@v1",
                     "items": {"<SHA-256>": {"name": .., "url": .., "fetched_at": .., "expires": .. or null}}}

The index is for people and for the date of a pack. Appraising does not read it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affidavit import disk
from verifier.errors import OperationalError, VerifierError

if TYPE_CHECKING:
    from affidavit.collateral.source import Piece

INDEX = "fetched.json"
FORMAT = "collateral-folder@v1"
MAX_INDEX = 1 << 20


def write_folder(folder: Path, pieces: Iterable[Piece]) -> dict[str, Any]:
    """Write pieces under names of their content, add them to the index; the items of the index that were written.

    Raises:
        OperationalError: ``file.unwritable``.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OperationalError("file.unwritable", f"{folder}: {error.strerror or error}") from None
    written = {}
    for piece in pieces:
        digest = hashlib.sha256(piece.data).hexdigest()
        name = f"{piece.label}-{digest[:12]}.{piece.suffix}"
        disk.write_bytes(folder / name, piece.data)
        written[digest] = {
            "name": name,
            "url": piece.url,
            "fetched_at": piece.fetched_at.isoformat(timespec="seconds"),
            "expires": None if piece.expires is None else piece.expires.isoformat(timespec="seconds"),
        }
    index = {"format": FORMAT, "items": {**_items(folder), **written}}
    disk.write_bytes(folder / INDEX, json.dumps(index, indent=1, sort_keys=True).encode("ascii") + b"\n")
    return written


def fetched_at(folder: Path) -> dict[str, datetime]:
    """When each piece of a folder was fetched, by SHA-256 in hex; nothing of what the index does not say well."""
    found = {}
    for digest, item in _items(folder).items():
        try:
            when = datetime.fromisoformat(item["fetched_at"])
            if when.tzinfo is not None:
                found[digest] = when.astimezone(UTC)
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
    return found


def _items(folder: Path) -> dict[str, Any]:
    try:
        value: Any = json.loads(disk.read_bytes(folder / INDEX, limit=MAX_INDEX))
    except (VerifierError, ValueError, RecursionError):
        return {}
    items = value.get("items") if isinstance(value, dict) and value.get("format") == FORMAT else None
    return items if isinstance(items, dict) else {}
