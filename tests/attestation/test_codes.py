# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every code that the sources can produce is listed, and nothing else is."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from attestation.codes import CODES

ROOM = Path(__file__).resolve().parents[2] / "attestation"
CODE = re.compile(r"evidence\.[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)*")

# What a `prefix` argument stands for, by file.
PREFIXES = {
    "contract.py": ["evidence.tpm2", "evidence.simulated"],
    "chain.py": ["evidence.tpm2.ak", "evidence.tpm2.ek"],
    "wire.py": [
        *(f"evidence.tpm2.{part}" for part in ("attest", "public", "signature")),
        *(f"evidence.eventlog.{part}" for part in ("log", "variable")),
    ],
}
# Ids of checks, which are no codes, and beginnings of codes.
_TPM_IDS = """
quote-magic quote-type challenge ak-key signature pcr-selection pcr-digest pcr-bank pcr-required pcr-reference
event-log ak-certificate ak-binding ek-certificate ek-binding revocation
"""
IDS = {f"evidence.tpm2.{name}" for name in _TPM_IDS.split()} | {
    "evidence.simulated.challenge",
    "evidence.simulated.root-of-trust",
    "evidence.tpm2",
    "evidence.simulated",
}
BEGINNINGS = {prefix for prefixes in PREFIXES.values() for prefix in prefixes} | {
    "evidence.tpm2.pcrs",
    "evidence.tpm2.certificate",
    "evidence.tpm2.ek",
}


def constants(tree: ast.Module) -> dict[str, str]:
    """Module-level names of strings."""
    return {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(node.value.value, str)
    }


def codes_in(path: Path) -> set[str]:
    """Codes written out, or as f-strings of a constant or a prefix and a rest."""
    tree = ast.parse(path.read_text())
    known = {name: [value] for name, value in constants(tree).items()}
    known |= {name: PREFIXES.get(path.name, []) for name in ("prefix", "self.prefix")}
    found: set[str] = set()
    inside: set[int] = set()
    for node in ast.walk(tree):  # a parent comes before its children
        if isinstance(node, ast.JoinedStr):
            inside |= {id(value) for value in node.values}
            head, *tail = node.values
            if isinstance(head, ast.FormattedValue) and len(tail) == 1 and isinstance(tail[0], ast.Constant):
                found |= {value + str(tail[0].value) for value in known.get(ast.unparse(head.value), [])}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            found.add(node.value)
    return {text for text in found if CODE.fullmatch(text)}


def produced() -> set[str]:
    paths = [path for path in ROOM.rglob("*.py") if path.name != "codes.py"]
    return set().union(*map(codes_in, paths)) - IDS - BEGINNINGS


def test_codes_are_listed_and_can_occur():
    assert produced() - set(CODES) == set()
    assert set(CODES) - produced() - BEGINNINGS == set()


def test_codes_are_well_formed():
    for code, meaning in CODES.items():
        assert CODE.fullmatch(code), code
        assert meaning and "\n" not in meaning and not meaning.endswith(".")
