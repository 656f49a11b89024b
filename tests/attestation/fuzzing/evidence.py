# SPDX-License-Identifier: AGPL-3.0-or-later
"""Mutants of evidence: one part changed, or parts lost, exchanged, doubled, taken from other evidence, and floods."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tests.attestation.fuzzing.mutations import mutate
from tests.attestation.fuzzing.target import Parts, Seed, Target

COLLATERAL = "collateral/"
FLOOD = (30, 100, 400)
"""Pieces of collateral that are added at once."""


def mutant(rng: random.Random, target: Target) -> tuple[Seed, str, dict[str, bytes]]:
    """A seed, what was done to it, and the parts after that."""
    seed = rng.choice(target.seeds)
    parts = dict(seed.parts)
    names = list(parts)
    if len(names) > 1 and rng.randrange(8) == 0:
        return seed, *_whole_parts(rng, target, parts)
    # Evidence before collateral, of which there may be more.
    members = [name for name in names if not name.startswith(COLLATERAL)]
    name = rng.choice(members if rng.randrange(4) else names)
    kind, parts[name] = mutate(rng, parts[name], target.pool)
    return seed, kind, parts


def _whole_parts(rng: random.Random, target: Target, parts: dict[str, bytes]) -> tuple[str, dict[str, bytes]]:
    names = list(parts)
    one, two = rng.sample(names, 2)
    how = rng.randrange(6)
    if how == 0:
        del parts[one]
        return "part lost", parts
    if how == 1:
        parts[one], parts[two] = parts[two], parts[one]
        return "parts exchanged", parts
    if how == 2:
        parts[one] = parts[two]
        return "part doubled", parts
    if how == 3:
        other = rng.choice(target.seeds).parts
        name = rng.choice(list(other))
        parts[name] = other[name]
        return "part of other evidence", parts
    if how == 4:
        parts[_another(rng, one)] = parts[one]
        return "part under another name", parts
    return "flood", _flood(rng, parts, target.pool)


def _another(rng: random.Random, name: str) -> str:
    stem, _, number = name.rpartition("_")
    return f"{stem}_{rng.randrange(20)}" if number.isdigit() else rng.choice(("x", name + "_", name[:-1], "event_log"))


def _flood(rng: random.Random, parts: dict[str, bytes], pool: Sequence[bytes]) -> dict[str, bytes]:
    """A lot of collateral that is almost what is asked for, in front of what there was."""
    loose = [name for name in parts if name.startswith(COLLATERAL)] or list(parts)
    base = parts[rng.choice(loose)] if rng.randrange(3) else rng.choice(pool)
    flood = {}
    for number in range(rng.choice(FLOOD)):
        piece = bytearray(base)
        if piece:
            # Towards the end: signatures and padding, where a parser sees it last.
            piece[-1 - rng.randrange(min(len(piece), rng.choice((60, 400))))] ^= 1 << rng.randrange(8)
        flood[f"{COLLATERAL}f{number}"] = bytes(piece)
    return {**flood, **parts}


def same(one: Parts, other: Parts) -> bool:
    """Whether nothing was changed."""
    return dict(one) == dict(other)
