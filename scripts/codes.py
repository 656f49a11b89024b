# SPDX-License-Identifier: AGPL-3.0-or-later
"""Writes docs/codes.md from the rooms' lists of codes: ``python scripts/codes.py > docs/codes.md``."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import affidavit.cli.codes
import affidavit.codes
import affidavit.collateral.codes
import attestation.codes
import circuits.codes
import fhe.codes
import node.codes
import prover.codes
import verifier.codes
import verifier.service.codes

ROOMS: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("circuits", circuits.codes.CODES),
    ("attestation", attestation.codes.CODES),
    ("verifier", verifier.codes.CODES),
    ("verifier/service", verifier.service.codes.CODES),
    ("prover", prover.codes.CODES),
    ("fhe", fhe.codes.CODES),
    ("node", node.codes.CODES),
    ("affidavit", affidavit.codes.CODES),
    ("affidavit/cli", affidavit.cli.codes.CODES),
    ("affidavit/collateral", affidavit.collateral.codes.CODES),
)
HEAD = """# Codes

Why something was refused, skipped or failed. A code is never renamed; its meaning never changes. Written by
`scripts/codes.py` from the `codes.py` of each room.

| verdict | exit | meaning |
|---|---|---|
| ACCEPT | 0 | every check that the policy requires passed; the weakest method and its bits are named |
| REJECT | 10 | at least one check is false |
| UNVERIFIABLE | 20 | something needed is missing or unsupported: neither fault nor success |
| MALFORMED | 30 | grammar or limits |
| ERROR | 1 | our own fault, or the environment's; never touches anyone's reputation |
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for room, codes in ROOMS:
        parts.append(f"\n## {room}\n\n| code | meaning |\n|---|---|\n")
        parts += [f"| `{code}` | {meaning} |\n" for code, meaning in sorted(codes.items())]
    return "".join(parts)


if __name__ == "__main__":
    sys.stdout.write(page())
