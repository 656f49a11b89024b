# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every code that the sources can produce is listed, and nothing else is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from attestation.codes import CODES

ROOM = Path(__file__).resolve().parents[2] / "attestation"
CODE = re.compile(r"evidence\.[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)*")
SOURCES = [path for path in sorted(ROOM.rglob("*.py")) if path.name not in ("codes.py", "families.py")]


def constants(tree: ast.Module) -> dict[str, str]:
    """Module-level names of strings."""
    return {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(node.value.value, str)
    }


def texts(path: Path) -> Iterator[str]:
    """Every string; of f-strings that start with a value, that value where it is known, and `*` where not."""
    tree = ast.parse(path.read_text())
    known = constants(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.FormattedValue):
            head = known.get(ast.unparse(node.values[0].value), "*")
            yield head + "".join(str(v.value) if isinstance(v, ast.Constant) else "*" for v in node.values[1:])
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def stated(path: Path) -> Iterator[str]:
    """Codes that stand where codes stand: first argument of an error, fifth of a `Check`, or `code=`."""
    tree = ast.parse(path.read_text())
    known = constants(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func).rpartition(".")[2]
        found = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
        found += node.args[:1] if name.endswith("Error") else node.args[4:5] if name == "Check" else []
        for value in found:
            for part in ast.walk(value):
                if isinstance(part, ast.JoinedStr) and len(part.values) == 2:
                    first, last = part.values
                    if isinstance(first, ast.FormattedValue) and isinstance(last, ast.Constant):
                        yield known.get(ast.unparse(first.value), "*") + str(last.value)
                elif isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.value


def test_every_stated_code_is_listed():
    unlisted = {
        f"{path.relative_to(ROOM)}: {code}"
        for path in SOURCES
        for code in stated(path)
        if CODE.fullmatch(code) and code not in CODES
    }
    assert unlisted == set()


def test_every_listed_code_can_occur():
    found = {text for path in SOURCES for text in texts(path)}
    tails = tuple(text[1:] for text in found if re.fullmatch(r"\*[.-][a-z0-9.-]+", text))
    assert len(tails) > 20, "the walk found no f-strings"
    assert {code for code in CODES if code not in found and not code.endswith(tails)} == set()


def test_codes_are_well_formed():
    for code, meaning in CODES.items():
        assert CODE.fullmatch(code), code
        assert meaning and "\n" not in meaning and not meaning.endswith(".")
