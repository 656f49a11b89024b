# SPDX-License-Identifier: AGPL-3.0-or-later
"""A parser under test."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

Parts = Mapping[str, bytes]
"""What is mutated, by name: the members of evidence, `collateral/0` and so on, or `data` alone."""


@dataclass(frozen=True)
class Seed:
    """A genuine input. `context` is the rest of the question, which is not mutated: time, trust, challenge, key."""

    name: str
    parts: Parts
    context: Any = None


@dataclass(frozen=True)
class Outcome:
    """What came of an input: a word or code, and, where it was accepted, what was thereby stated.

    Two inputs with equal `statement` say the same, bound to the same bytes.
    """

    code: str
    statement: Hashable = None


Run = Callable[[Parts, Seed], Outcome]


@dataclass(frozen=True)
class Target:
    """A parser, appraiser or reader.

    `run` raises an `EvidenceError` for what it refuses, or one of `also`; everything else is a finding. An outcome
    with a statement that no seed makes is one, too: a mutant was accepted.
    """

    name: str
    seeds: tuple[Seed, ...]
    run: Run
    also: tuple[type[Exception], ...] = ()

    @property
    def pool(self) -> tuple[bytes, ...]:
        """Every part of every seed, for splices."""
        return tuple(part for seed in self.seeds for part in seed.parts.values())


def of_bytes(
    name: str, parse: Callable[[bytes], object], *inputs: bytes, also: tuple[type[Exception], ...] = ()
) -> Target:
    """A parser of one string of bytes, which states nothing.

    Where the result of `parse` can be encoded, it must give the bytes that were read.
    """

    def run(parts: Parts, seed: Seed) -> Outcome:
        found = parse(parts["data"])
        encode = getattr(found, "encode", None)
        if encode is not None and not isinstance(found, str) and encode() != parts["data"]:
            raise AssertionError("what was read does not encode to what was given")
        return Outcome("read")

    seeds = tuple(Seed(f"{name} {number}", {"data": data}) for number, data in enumerate(inputs))
    return Target(name, seeds, run, also)
