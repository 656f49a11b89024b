# SPDX-License-Identifier: AGPL-3.0-or-later
"""Mutants of valid proofs: blind ones, splices, and ones that know the fields; a case is a function of its number.

`scripts/mutations.py` runs millions of them; `test_mutations` runs a small dose.
"""

from __future__ import annotations

import gc
import random
import time
import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from circuits import Circuit
from prover import prove
from tests.proof.messages import Field, recording
from tests.proof.models import CONTEXT, arguments, root_of, sample
from tests.proof.tiny import TINY
from verifier.errors import MalformedError, RejectedError
from verifier.proof import verify_proof
from verifier.proof.field import P
from verifier.proof.plan import Mode

MAX_SECONDS = 0.5
"""Processor time of one verification: a hundred times what the valid proof takes."""
MAX_BYTES = 16 << 20
"""Memory that one verification may take beyond the proof's own bytes."""
LONG_TAIL = 1 << 18


@dataclass(frozen=True)
class Subject:
    """A statement with its proof, and a proof of another statement about the same circuit, laid out alike."""

    name: str
    circuit: Circuit
    arguments: Mapping[str, Any]
    proof: bytes
    twin: bytes
    fields: tuple[Field, ...]


def subjects() -> list[Subject]:
    """Every tiny circuit with the weights held; those that have weights, committed as well."""
    found = []
    for name, make in TINY.items():
        circuit = make()
        weighted = any(g.kind in ("conv", "dense") for g in circuit.gates)
        modes: list[Mode] = ["held", "committed"] if weighted else ["held"]
        found += [_subject(f"{name}, {mode}", circuit, mode) for mode in modes]
    return found


def _subject(name: str, circuit: Circuit, mode: Mode) -> Subject:
    inputs = sample(circuit)
    proof = prove(circuit, inputs, context=CONTEXT, mode=mode)
    twin = prove(circuit, sample(circuit, seed=1), context=CONTEXT, mode=mode)
    told = arguments(circuit, inputs, proof.outputs, root_of(circuit, mode))
    with recording() as fields:
        verify_proof(proof.bytes, **told)
        known = tuple(f for f in fields if f.end > f.begin)
    assert known[-1].end == len(proof.bytes)
    return Subject(name, circuit, told, proof.bytes, twin.bytes, known)


Mutation = Callable[[random.Random, Subject, list[Subject], bytearray], None]


def _flip(rng: random.Random, subject: Subject, pool: list[Subject], data: bytearray) -> None:
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _bytes(rng: random.Random, subject: Subject, pool: list[Subject], data: bytearray) -> None:
    at, count = rng.randrange(len(data)), rng.randrange(1, 33)
    data[at : at + count] = rng.choice((rng.randbytes(count), bytes(count), b"\xff" * count))[: len(data) - at]


def _cut(rng: random.Random, subject: Subject, pool: list[Subject], data: bytearray) -> None:
    edge = rng.choice(subject.fields).begin if rng.randrange(2) else rng.randrange(len(data))
    del data[edge:]


def _extend(rng: random.Random, subject: Subject, pool: list[Subject], data: bytearray) -> None:
    count = LONG_TAIL if rng.randrange(200) == 0 else rng.randrange(1, 200)
    data += rng.choice((bytes(count), rng.randbytes(count)))


def _insert(rng: random.Random, subject: Subject, pool: list[Subject], data: bytearray) -> None:
    at = rng.randrange(len(data))
    data[at:at] = rng.randbytes(rng.choice((1, 8, 16, 32)))


def _remove(rng: random.Random, subject: Subject, pool: list[Subject], data: bytearray) -> None:
    at = rng.randrange(len(data))
    del data[at : at + rng.choice((1, 8, 16, 32))]


def _splice(rng: random.Random, subject: Subject, pool: list[Subject], data: bytearray) -> None:
    """A stretch of another proof: of the twin at the same place, or of any proof anywhere."""
    if rng.randrange(2):
        begin = rng.choice(subject.fields).begin
        end = len(subject.twin) if rng.randrange(2) else rng.choice(subject.fields).end
        data[begin:end] = subject.twin[begin:end]
    else:
        other = rng.choice(pool)
        data[rng.randrange(len(data)) :] = other.proof[rng.randrange(len(other.proof)) :]


def _message(rng: random.Random, subject: Subject, pool: list[Subject], data: bytearray) -> None:
    """A whole message of the twin, zeroed, or exchanged with another one of the same length."""
    field = rng.choice(subject.fields)
    how = rng.randrange(3)
    if how == 0:
        data[field.begin : field.end] = subject.twin[field.begin : field.end]
    elif how == 1:
        data[field.begin : field.end] = bytes(field.end - field.begin)
    else:
        size = field.end - field.begin
        other = rng.choice([f for f in subject.fields if f.end - f.begin == size])
        mine, theirs = data[field.begin : field.end], data[other.begin : other.end]
        data[field.begin : field.end], data[other.begin : other.end] = theirs, mine


def _word(rng: random.Random, subject: Subject, pool: list[Subject], data: bytearray) -> None:
    """One word of one field, changed as somebody would who knows the field."""
    field = rng.choice(subject.fields)
    at = rng.randrange(field.begin, field.end, 8)
    value = int.from_bytes(data[at : at + 8], "little")
    changed = rng.choice(
        (
            value + 1,
            value - 1,
            0,
            1,
            P - 1,
            P,
            P + 1,
            value + P,
            (1 << 64) - 1,
            -value % P,
            2 * value % P,
            value ^ 1 << 63,
        )
    )
    data[at : at + 8] = (changed % (1 << 64)).to_bytes(8, "little")


def _swap(rng: random.Random, subject: Subject, pool: list[Subject], data: bytearray) -> None:
    """Two words of one field, or both coordinates of an element, exchanged."""
    field = rng.choice(subject.fields)
    places = range(field.begin, field.end, 8)
    first = rng.choice(places)
    second = field.begin + ((first - field.begin) ^ 8) if rng.randrange(2) else rng.choice(places)
    if second + 8 > len(data):
        return
    a, b = data[first : first + 8], data[second : second + 8]
    data[first : first + 8], data[second : second + 8] = b, a


MUTATIONS: dict[str, Mutation] = {
    "flipped bits": _flip,
    "other bytes": _bytes,
    "truncated": _cut,
    "extended": _extend,
    "inserted": _insert,
    "removed": _remove,
    "spliced": _splice,
    "message": _message,
    "word": _word,
    "swapped": _swap,
}
_WEIGHTS = [3, 2, 1, 1, 1, 1, 3, 3, 8, 3]


def mutant(seed: int, number: int, pool: list[Subject]) -> tuple[Subject, str, bytes]:
    """Case `number`: whose proof, which mutation, and the mutant, which differs from the proof."""
    rng = random.Random(f"{seed}/{number}")
    subject = pool[number % len(pool)]
    while True:
        data, names = bytearray(subject.proof), []
        for _ in range(rng.choice((1, 1, 1, 2))):
            if data:
                (name,) = rng.choices(list(MUTATIONS), _WEIGHTS)
                names.append(name)
                # What a cut left behind is too short for those that know the fields.
                if len(data) >= len(subject.proof) or name in ("flipped bits", "extended"):
                    MUTATIONS[name](rng, subject, pool, data)
        if bytes(data) != subject.proof:
            return subject, names[-1], bytes(data)


def outcome(subject: Subject, data: bytes) -> str:
    """The code with which the verifier refuses; "ACCEPTED", or the name of an untyped exception, where it doesn't."""
    try:
        verify_proof(data, **subject.arguments)
    except (MalformedError, RejectedError) as error:
        return error.code
    except Exception as error:  # noqa: BLE001 - this is what the run looks for
        return f"{type(error).__name__}: {error}"
    return "ACCEPTED"


def is_refusal(code: str) -> bool:
    """Whether an outcome is one of those that a mutant may have."""
    return code.startswith("proof.")


def timed(subject: Subject, data: bytes) -> tuple[str, float]:
    """Outcome and seconds of processor time."""
    started = time.thread_time()
    code = outcome(subject, data)
    return code, time.thread_time() - started


def traced(subject: Subject, data: bytes) -> tuple[str, int]:
    """Outcome and the largest number of bytes allocated meanwhile."""
    gc.collect()
    tracemalloc.start()
    try:
        code = outcome(subject, data)
        return code, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
