# SPDX-License-Identifier: AGPL-3.0-or-later
"""The lists of codes and the sources name the same codes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import pytest

import affidavit.codes
import node.codes
import verifier.codes
from tests.conftest import ROOT

GRAMMAR = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)+\Z")
RAISED = re.compile(r'Error\(\s*"((?:node|request|client)\.[a-z.-]+)"|_refuse\(\s*"((?:node|request)\.[a-z.-]+)"')
# Made from parts: f"request.{key}.malformed" and f"{code}.unsalted".
COMPOSED = {
    *(f"request.{key}.malformed" for key in ("model", "nonce", "policy", "opening", "sealed")),
    *(f"{code}.{defect}" for code in ("request.sealed", "node.answer") for defect in ("malformed", "unsalted")),
    "client.job.failed",
}


def raised(*patterns: str) -> Iterator[str]:
    for pattern in patterns:
        for path in ROOT.glob(pattern):
            for match in RAISED.finditer(path.read_text()):
                yield match[1] or match[2]


@pytest.mark.parametrize(
    ("codes", "prefixes", "patterns"),
    [
        (node.codes.CODES, ("node.", "request."), ("node/*.py", "node/stages/*.py")),
        (affidavit.codes.CODES, ("client.",), ("affidavit/*.py", "affidavit/private/*.py")),
    ],
)
def test_listed_and_raised_are_the_same(
    codes: Mapping[str, str], prefixes: tuple[str, ...], patterns: tuple[str, ...]
) -> None:
    ours = {code for code in {*raised(*patterns), *COMPOSED} if code.startswith(prefixes)} - set(verifier.codes.CODES)
    assert ours == set(codes)
    assert list(codes) == sorted(codes)
    assert all(GRAMMAR.match(code) and meaning for code, meaning in codes.items())
