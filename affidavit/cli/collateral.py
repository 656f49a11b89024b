# SPDX-License-Identifier: AGPL-3.0-or-later
"""A folder of collateral: every file in it, by its content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from affidavit.cli import files
from attestation.collateral import Collateral, recognise
from attestation.collateral.bag import MAX_ITEM, MAX_ITEMS, Item
from attestation.errors import MalformedError
from verifier.errors import OperationalError

MAX_DEPTH = 4
_FATAL = frozenset({"evidence.collateral.too-large", "evidence.collateral.too-much"})


@dataclass(frozen=True)
class Folder:
    """What was found: the bag, and the files that gave nothing, with the code that says why."""

    collateral: Collateral
    ignored: tuple[tuple[str, str], ...]

    @property
    def kinds(self) -> dict[str, int]:
        """How many items there are of each kind."""
        return dict(sorted(Counter(item.kind for item in self.collateral.items).items()))


def read_folder(folder: Path) -> Folder:
    """Every file under ``folder``, in the order of their names.

    A file that cannot be read, or whose armour does not decode, is listed and left out.

    Raises:
        OperationalError: ``file.unreadable`` for the folder itself.
        attestation.errors.MalformedError: ``evidence.collateral.too-large``, ``evidence.collateral.too-much``.
    """
    items: dict[Item, None] = {}
    ignored = []
    for path in _files(folder):
        name = path.relative_to(folder).as_posix()
        try:
            found = recognise(files.read_bytes(path, limit=MAX_ITEM + 1))
        except OperationalError as error:
            ignored.append((name, error.code))
            continue
        except MalformedError as error:
            if error.code in _FATAL:
                raise MalformedError(error.code, f"{name}: {error.message}", remedy=error.remedy) from None
            ignored.append((name, error.code))
            continue
        if not found:
            ignored.append((name, "file.empty"))
        items.update(dict.fromkeys(found))
    return Folder(Collateral(tuple(items)), tuple(ignored))


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
