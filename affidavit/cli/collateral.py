# SPDX-License-Identifier: AGPL-3.0-or-later
"""Collateral as a user names it: a folder, every file in it by its content; or a pack of `collateral bundle`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from affidavit.cli import files
from affidavit.collateral.folder import INDEX
from affidavit.collateral.pack import MAX_PACK, is_pack, read_pack
from attestation.collateral import Collateral, recognise
from attestation.collateral.bag import MAX_ITEM, MAX_ITEMS, Item
from attestation.errors import MalformedError
from verifier.errors import MalformedError as PackMalformed
from verifier.errors import OperationalError

MAX_DEPTH = 4
_FATAL = frozenset({"evidence.collateral.too-large", "evidence.collateral.too-much"})


@dataclass(frozen=True)
class Folder:
    """What was found: the bag, the files that gave nothing, with the code that says why, and the date of a pack."""

    collateral: Collateral
    ignored: tuple[tuple[str, str], ...]
    as_of: datetime | None = None

    @property
    def kinds(self) -> dict[str, int]:
        """How many items there are of each kind."""
        return dict(sorted(Counter(item.kind for item in self.collateral.items).items()))


def read_collateral(path: Path) -> Folder:
    """A folder, or a pack where ``path`` is a file.

    Raises:
        OperationalError: ``file.unreadable``.
        verifier.errors.MalformedError: ``collateral.pack.malformed``, ``file.too-large``.
        attestation.errors.MalformedError: as `read_folder`.
    """
    if not path.is_file():
        return read_folder(path)
    data = files.read_bytes(path, limit=MAX_PACK)
    if not is_pack(data):
        raise PackMalformed(
            "collateral.pack.malformed",
            f"{path}: a file that is no pack",
            remedy="name the folder that it is in; packs are made with: affidavit collateral bundle",
        )
    pack = read_pack(data)
    return Folder(pack.collateral, (), pack.as_of)


def read_folder(folder: Path) -> Folder:
    """Every file under ``folder``, in the order of their names.

    A file that cannot be read, or whose armour does not decode, is listed and left out.

    Raises:
        OperationalError: ``file.unreadable`` for the folder itself.
        attestation.errors.MalformedError: ``evidence.collateral.too-large``, ``evidence.collateral.too-much``.
    """
    items: dict[Item, None] = {}
    ignored = []
    for name, data in read_files(folder):
        if isinstance(data, str):
            ignored.append((name, data))
        else:
            items.update(dict.fromkeys(recognise(data)))
    return Folder(Collateral(tuple(items)), tuple(ignored))


def read_files(folder: Path) -> Iterator[tuple[str, bytes | str]]:
    """Name and bytes of every file with something in it, or the code that says why there is nothing. Indexes are left
    out. Raises as `read_folder`."""
    for path in _files(folder):
        name = path.relative_to(folder).as_posix()
        if path.name == INDEX:
            continue
        try:
            data = files.read_bytes(path, limit=MAX_ITEM + 1)
            yield name, data if recognise(data) else "file.empty"
        except OperationalError as error:
            yield name, error.code
        except MalformedError as error:
            if error.code in _FATAL:
                raise MalformedError(error.code, f"{name}: {error.message}", remedy=error.remedy) from None
            yield name, error.code


def _files(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise OperationalError("file.unreadable", f"{folder}: not a folder that can be read", remedy="check the path")
    count = 0
    try:
        for path in sorted(folder.rglob("*")):
            if len(path.relative_to(folder).parts) <= MAX_DEPTH and path.is_file():
                count += 1
                if count > MAX_ITEMS:
                    raise MalformedError(
                        "evidence.collateral.too-much", f"{folder}: more than {MAX_ITEMS} files of collateral"
                    )
                yield path
    except OSError as error:
        raise OperationalError("file.unreadable", f"{folder}: {error.strerror or error}") from None
