# SPDX-License-Identifier: AGPL-3.0-or-later
"""Running one case: what came of a mutant, and what it cost."""

from __future__ import annotations

import gc
import random
import time
import tracemalloc
from collections.abc import Hashable
from dataclasses import dataclass

from attestation.errors import MalformedError, RejectedError, UnsupportedError
from tests.attestation.fuzzing.evidence import mutant, same
from tests.attestation.fuzzing.target import Outcome, Parts, Seed, Target

REFUSALS = (MalformedError, RejectedError, UnsupportedError)
"""An `OperationalError` is our own fault, and no answer to strangers' bytes."""
UNCHANGED, EQUIVALENT, ACCEPTED, UNTYPED = "unchanged", "equivalent", "ACCEPTED", "UNTYPED"
FAULTS = (ACCEPTED, UNTYPED)
NOT_REFUSED = frozenset({*FAULTS, UNCHANGED, EQUIVALENT, "read", "passed", "accepted"})
"""Outcomes that are no refusal's code."""


@dataclass(frozen=True)
class Case:
    """One mutant and what came of it: a code, a word of `target.run`, or one of the constants here."""

    seed: Seed
    kind: str
    parts: Parts
    code: str
    seconds: float
    detail: str = ""


def statements(target: Target) -> frozenset[Hashable]:
    """What the unchanged seeds state; each that is refused states nothing."""
    return frozenset(_outcome(target, seed.parts, seed).statement for seed in target.seeds) - {None}


def _outcome(target: Target, parts: Parts, seed: Seed) -> Outcome:
    try:
        return target.run(parts, seed)
    except REFUSALS as error:
        return Outcome(error.code)
    except target.also as error:
        return Outcome(type(error).__name__)


def draw(target: Target, seed: int, number: int) -> tuple[Seed, str, dict[str, bytes]]:
    """The mutant of that number, always the same."""
    return mutant(random.Random(f"{target.name}/{seed}/{number}"), target)


def run(target: Target, seed: int, number: int, genuine: frozenset[Hashable]) -> Case:
    """Draw the mutant of that number and run it. `genuine` is `statements(target)`."""
    base, kind, parts = draw(target, seed, number)
    detail = ""
    begin = time.process_time()
    try:
        outcome = _outcome(target, parts, base)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001  (what is looked for)
        outcome, detail = Outcome(UNTYPED), f"{type(error).__name__}: {str(error)[:200]}"
    seconds = time.process_time() - begin
    code = outcome.code
    if same(parts, base.parts):
        code = UNCHANGED
    elif outcome.statement is not None:
        code = EQUIVALENT if outcome.statement in genuine else ACCEPTED
    return Case(base, kind, parts, code, seconds, detail)


def traced(target: Target, seed: int, number: int) -> int:
    """The most bytes that were allocated at once while the mutant was looked at."""
    base, _, parts = draw(target, seed, number)
    gc.collect()
    tracemalloc.start()
    try:
        _outcome(target, parts, base)
    except Exception:  # noqa: BLE001, S110  (`run` tells of it)
        pass
    finally:
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return most
