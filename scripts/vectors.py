# SPDX-License-Identifier: AGPL-3.0-or-later
"""Regenerate the test vectors and compare them with the committed ones: `make vectors`.

Each folder of generated vectors has a `generate.py` beside them with `def generate(folder: Path) -> None`,
which writes every file of the folder again, the same bytes every time: fixed keys, fixed times, no
randomness. Folders without a `generate.py` (evidence from real machines) are left alone, and so is every
`README.md`.

    python scripts/vectors.py            compare; exit code 1 and the names of the files that differ
    python scripts/vectors.py --write    put the new ones in place
"""

from __future__ import annotations

import importlib
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BY_HAND = {"generate.py", "__init__.py", "README.md"}


def files(folder: Path) -> dict[str, bytes]:
    """Return relative name -> content of every generated file below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in BY_HAND and "__pycache__" not in path.parts
    }


def regenerate(folder: Path, write: bool) -> list[str]:
    """Return what differs between a folder and what its `generate.py` writes; put it in place if asked."""
    module = ".".join((folder / "generate").relative_to(ROOT).parts)
    with tempfile.TemporaryDirectory() as name:
        fresh = Path(name)
        importlib.import_module(module).generate(fresh)
        new, old = files(fresh), files(folder)
        if write:
            for gone in old.keys() - new.keys():
                (folder / gone).unlink()
            shutil.copytree(fresh, folder, dirs_exist_ok=True)
    where = folder.relative_to(ROOT).as_posix()
    return (
        [f"{where}/{key}: missing" for key in sorted(new.keys() - old.keys())]
        + [f"{where}/{key}: not generated any more" for key in sorted(old.keys() - new.keys())]
        + [f"{where}/{key}: differs" for key in sorted(new.keys() & old.keys()) if new[key] != old[key]]
    )


def main() -> int:
    """Regenerate every folder; return the exit code."""
    write = "--write" in sys.argv[1:]
    sys.path.insert(0, str(ROOT))
    folders = sorted(path.parent for path in (ROOT / "tests").rglob("generate.py"))
    differences = [line for folder in folders for line in regenerate(folder, write)]
    for line in differences:
        print(line)
    verb = "written" if write else "compared"
    print(f"{len(folders)} folders {verb}, {len(differences)} differences")
    return 1 if differences and not write else 0


if __name__ == "__main__":
    sys.exit(main())
