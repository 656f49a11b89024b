# SPDX-License-Identifier: AGPL-3.0-or-later
"""Codes: one list per room, one page for all, nothing unlisted in the sources, nothing listed twice or untested."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from scripts.codes import ROOMS, page
from tests.conftest import ROOT

CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)+\Z")
ALL = {code: room for room, codes in ROOMS for code in codes}
PREFIXES = tuple(sorted({code.split(".")[0] + "." for code in ALL}))
# How a code stands in the sources: first or named argument of these.
RAISERS = re.compile(r"(Error|Refusal|failed|skipped)\Z")


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def raised(path: Path) -> set[str]:
    """Codes that a file raises as literals."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and RAISERS.search(_name(node.func)):
            for argument in node.args[:2]:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    found.add(argument.value)
    return {code for code in found if CODE.match(code) and code.startswith(PREFIXES)}


def test_every_code_is_well_formed_and_stands_in_one_list():
    seen: dict[str, str] = {}
    for room, codes in ROOMS:
        for code, meaning in codes.items():
            assert CODE.match(code), code
            assert meaning and "\n" not in meaning and "|" not in meaning, code
            assert seen.setdefault(code, room) == room, f"{code} stands in {seen[code]} and {room}"


SOURCES = sorted(
    path
    for room in ("affidavit", "attestation", "circuits", "fhe", "node", "prover", "verifier")
    for path in (ROOT / room).rglob("*.py")
)


def test_every_code_in_the_sources_is_listed():
    ids = set(re.findall(r'(?:passed|failed|skipped)\(\s*"([a-z.-]+)"', "".join(p.read_text() for p in SOURCES)))
    unlisted = {code: path.relative_to(ROOT).as_posix() for path in SOURCES for code in raised(path) if code not in ALL}
    assert {code: path for code, path in unlisted.items() if code not in ids} == {}


@pytest.mark.docs
def test_the_page_is_what_the_lists_say():
    assert (ROOT / "docs/codes.md").read_text() == page(), "run: python scripts/codes.py > docs/codes.md"


def test_every_code_of_the_core_is_provoked_by_a_test():
    tests = "".join(
        path.read_text() for path in (ROOT / "tests").rglob("*") if path.suffix in (".py", ".json") and path.is_file()
    )
    core = {code for code, room in ALL.items() if room == "verifier"}
    assert {code for code in core if code not in tests and code.rsplit(".", 1)[1] not in tests} == set()
