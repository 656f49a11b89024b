# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every parser under test."""

from __future__ import annotations

from collections.abc import Mapping

from tests.attestation.fuzzing import appraisals, parsers, readers, tokens
from tests.attestation.fuzzing.target import Target


def catalogue(corpus: Mapping[str, bytes]) -> dict[str, Target]:
    """By name; `corpus` as `corpus.make` makes it."""
    found = [
        *parsers.targets(corpus),
        *tokens.targets(corpus["cmw/evidence/collection"]),
        *readers.targets(corpus),
        *appraisals.targets(corpus),
    ]
    named = {target.name: target for target in found}
    if len(named) != len(found):
        raise AssertionError("two parsers of one name")
    return named
