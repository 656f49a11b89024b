# SPDX-License-Identifier: AGPL-3.0-or-later
"""Hostile bytes against a pool of workers: ``python -m tests.fhe.hostile [COUNT] [--write]`` (10,000 by default).

Every mutant must give a typed error or a valid answer; this process must not crash or grow, and no worker may die: what
kills a worker is contained, but it is a finding. ``--write`` puts what came out into
benchmarks/results/fhe_hostile.json.
"""

from __future__ import annotations

import argparse
import random
import resource
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec

import fhe
from fhe.pool import EvaluationPool
from tests.fhe import hostile_tenseal
from tests.fhe.making import inputs_of, keys_for, linear, mlp, session

HEAD, KEY_HEAD = 40, 28
SEED = 2024
SHARES = (9, 9, 9, 9, 1)
"""Of TenSEAL's targets: a vector's context has tens of megabytes."""


@dataclass(frozen=True)
class Target:
    """A plan with a good request and good keys."""

    plan: fhe.EncryptedPlan
    request: bytes
    keys: bytes


def targets() -> list[Target]:
    """A small plan of each kind."""
    plans = [
        fhe.plan(linear((40, 3), 15, 7), preset="lin6-public"),
        fhe.plan(linear((40, 3), 15, 7), preset="lin8", private=True),
        fhe.plan(mlp((3, 2, 2), 7, 3), preset="batch-mlp-ckks", samples=4),
        fhe.plan(mlp((2, 2, 1), 3, 3), preset="batch-mlp-exact", samples=4),
    ]
    return [
        Target(p, session(p.preset.name).encrypt(p.interface, inputs_of(p.circuit, p.interface.samples)), keys_for(p))
        for p in plans
    ]


def tenseal_targets() -> list[Target]:
    """A small plan of each kind of TenSEAL object, where TenSEAL is there to make them."""
    if find_spec("tenseal") is None:
        return []
    return [Target(asked.plan, asked.request, asked.context) for asked in hostile_tenseal.asked()]


def structured(data: bytes, head: int, rng: random.Random) -> bytes:
    """One change that means something to the format."""
    body = bytearray(data)
    kind = rng.randrange(12)
    if kind == 0:
        return b""
    if kind == 1:
        return data[: rng.randrange(len(data))]
    if kind == 2:
        return data + rng.randbytes(rng.randrange(1, 64))
    if kind == 3:  # a residue out of range
        at = rng.randrange(head, max(head + 1, len(body) - 8))
        body[at : at + 8] = b"\xff" * len(body[at : at + 8])
    elif kind == 4:  # counts
        struct.pack_into("<I", body, min(28, len(body) - 4), rng.choice((0, 1, 2, 1 << 12, 1 << 20, (1 << 32) - 1)))
    elif kind == 5:  # another preset
        name = rng.choice([*fhe.PRESETS, "nothing", "\xff"]).encode("latin-1")
        body[8:24] = name.ljust(16, b"\0")
    elif kind == 6:  # level, polynomials, flags
        body[24 + rng.randrange(min(4, max(1, len(body) - 24)))] = rng.choice((0, 1, 2, 3, 4, 255))
    elif kind == 7:  # transparent, or degenerate: a run of zeros
        start = rng.randrange(head, len(body)) if len(body) > head else 0
        body[start:] = bytes(len(body) - start)
    elif kind == 8:  # everything zero but the head
        body[head:] = bytes(max(0, len(body) - head))
    elif kind == 9 and len(body) >= 40:  # scale
        struct.pack_into("<d", body, 32, rng.choice((0.0, -1.0, float("nan"), float("inf"), 1e300, 2.0, 5e-324)))
    elif kind == 10:  # the two halves of the residues change places
        middle = (head + len(body)) // 2
        body[head:] = body[middle:] + body[head:middle]
    else:  # another object's head
        body[:8] = rng.choice((b"AFFFHEC1", b"AFFFHEK1", b"\x5e\xa1\x10\x04\x04\0\0\0", b"AFFSEAL1"))
    return bytes(body)


def mutants(count: int, seed: int) -> Iterator[tuple[Target, bytes, bytes, bytes | None]]:
    """Requests and keys, most of them wrong in one place; every other target is TenSEAL's."""
    rng = random.Random(seed)
    own, theirs = targets(), tenseal_targets()
    for _ in range(count):
        foreign = bool(theirs) and rng.random() < 0.5
        target = rng.choices(theirs, SHARES)[0] if foreign else rng.choice(own)
        request, keys = target.request, target.keys
        noise = bytes(32) if target.plan.private else None
        kind = rng.randrange(8)
        if kind < 3:
            request = hostile_tenseal.mutated(request, rng) if foreign else structured(request, HEAD, rng)
        elif kind < 5:
            keys = hostile_tenseal.mutated(keys, rng) if foreign else structured(keys, KEY_HEAD, rng)
        elif kind == 5:  # bit flips
            data = bytearray(request)
            for _ in range(rng.randrange(1, 5)):
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            request = bytes(data)
        elif kind == 6:  # somebody else's request or keys
            other = rng.choice(own + theirs)
            request, keys = rng.choice(((other.request, keys), (request, other.keys), (keys, request)))
        else:
            noise = rng.choice((None, b"", bytes(31), bytes(32)))
        yield target, request, keys, noise


UNTYPED = "untyped "


def attack(
    pool: EvaluationPool, count: int, seed: int, note: Callable[[str], None] = lambda _: None, *, strict: bool = True
) -> Counter[str]:
    """Run mutants; outcomes by code, "answer" for valid ones.

    Anything but a typed error is raised; or counted, as "untyped", where this is not `strict`.
    """
    outcomes: Counter[str] = Counter()
    for number, (target, request, keys, noise) in enumerate(mutants(count, seed)):
        try:
            # As on a node: what is not in this project's formats is looked at before it is kept.
            for blob in (request, keys):
                if blob and not blob.startswith((b"AFFFHEC1", b"AFFFHEK1")):
                    pool.inspect(blob)
            pool.evaluate(target.plan, request, keys, seed=noise)
        except fhe.FheError as error:
            outcomes[error.code] += 1
        except Exception as error:
            if strict:
                raise
            outcomes[UNTYPED + type(error).__name__] += 1
        else:
            outcomes["answer"] += 1
        if number % 1000 == 999:
            note(f"{number + 1} mutants, {megabytes()} MiB")
    return outcomes


def megabytes() -> int:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    """Print outcomes by code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=10_000)
    parser.add_argument("--write", action="store_true", help="into benchmarks/results/fhe_hostile.json")
    arguments = parser.parse_args()
    with EvaluationPool(seconds=60) as pool:
        attack(pool, 200, SEED - 1)  # every kind once, so that what is loaded once is not taken for growth
        before = megabytes()
        outcomes = attack(pool, arguments.count, SEED, note=print, strict=False)
        grown = megabytes() - before
    for code, times in sorted(outcomes.items()):
        print(f"{times:6} {code}")
    worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    died = sum(times for code, times in outcomes.items() if code.startswith("fhe.worker."))
    print(f"largest worker: {worker} MiB; workers that died or failed: {died}; this process grew by {grown} MiB")
    if arguments.write:
        from benchmarks import record

        found = {
            "mutants": arguments.count,
            "seed": SEED,
            "tenseal": bool(tenseal_targets()),
            "outcomes": dict(sorted(outcomes.items())),
            "crashes": sum(times for code, times in outcomes.items() if code.startswith(UNTYPED)),
            "worker_deaths": died,
            "memory_growth_mib": grown,
            "largest_worker_mib": worker,
        }
        command = f"python -m tests.fhe.hostile {arguments.count} --write"
        path = record.write("fhe_hostile", record.machine(), found, command=command)
        print(path.name)


if __name__ == "__main__":
    main()
