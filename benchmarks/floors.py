# SPDX-License-Identifier: AGPL-3.0-or-later
"""How fast an encrypted execution could be on the machine at hand, whatever the rest of its code does.

Three bounds, each from what one run really does, times a rate that is measured beside it on the same machine::

    transforms   rows that were transformed, by ring degree  x  seconds of one transform
    memory       bytes of request, answer, keys and encoded weights, each touched once  /  bytes a second of a copy
    products     floating-point operations of integer matrix products (columns)  /  operations a second of BLAS

The largest is the floor, and `distance` is how many times longer the run takes. Faster transforms (AVX-512 IFMA) move
the first, and compressed or recomputed keys and weights the second.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np

import fhe
from fhe import gemm, transforms
from fhe.evaluation import Evaluation
from fhe.packing.columns import digit_bits
from fhe.ring import Ring, prime

_NOT_READ = ("interface", "preset", "ring", "_steps", "_seal", "_evaluator", "_product", "_after")
"""Parts of an evaluation that a run does not go through: tables are small, steps have been encoded."""


def work_of(evaluation: Evaluation, request: fhe.Ciphertexts) -> dict[str, Any]:
    """What one run does: rows transformed by degree, bytes that it must touch, operations of matrix products."""
    rows: Counter[int] = Counter()
    operations = 0

    def counting(transform: Callable[..., None]) -> Callable[..., None]:
        def counted(values: np.ndarray, *rest: Any) -> None:
            rows[values.shape[-1]] += values.size // values.shape[-1]
            transform(values, *rest)

        return counted

    def product(weights: np.ndarray, residues: np.ndarray, modulus: Any) -> np.ndarray:
        nonlocal operations
        digits = -(-int(modulus.q).bit_length() // digit_bits(weights, int(modulus.q)))
        operations += 2 * weights.size * residues.shape[1] * digits
        return gemm.product(weights, residues, modulus)

    with ExitStack() as stack:
        for name in ("forward", "inverse"):
            stack.enter_context(patch.object(transforms, name, counting(getattr(transforms, name))))
        if hasattr(evaluation.network, "_product"):
            stack.enter_context(patch.object(evaluation.network, "_product", product))
        answer = evaluation.run(request)
    held = sum(array.nbytes for array in _arrays(evaluation.network, set()))
    return {
        "transforms": dict(rows),
        "bytes": request.limbs.nbytes + answer.limbs.nbytes + held,
        "operations": operations,
    }


def _arrays(value: object, seen: set[int]) -> Iterator[np.ndarray]:
    """Arrays that hang on an evaluation's network: encoded weights, biases, keys."""
    if id(value) in seen:
        return
    seen.add(id(value))
    parts: list[object] = []
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, Mapping):
        parts = list(value.values())
    elif isinstance(value, list | tuple):
        parts = list(value)
    elif is_dataclass(value):
        parts = [getattr(value, field.name) for field in fields(value) if field.name not in _NOT_READ]
    elif type(value).__module__.startswith("fhe."):
        parts = [part for name, part in vars(value).items() if name not in _NOT_READ]
    for part in parts:
        yield from _arrays(part, seen)


def rates() -> dict[str, float]:
    """Seconds per transform of n residues, by n; bytes a second of a copy; floating-point operations a second."""
    found = {}
    for name in ("lin8", "mlp1"):
        ring = Ring(fhe.preset_of(name))
        table = prime(ring.preset.moduli[0], ring.n)
        values = np.zeros((64, ring.n), np.uint64)
        run = partial(transforms.forward, values, *table.forward, table.q)
        found[f"transform_{ring.n}_s"] = _least(run) / len(values)
    block = np.ones(1 << 24, np.uint64)
    target = np.empty_like(block)
    found["copy_bytes_per_s"] = block.nbytes / _least(lambda: np.copyto(target, block))
    weights, residues = np.ones((64, 784)), np.ones((784, 4096))
    found["operations_per_s"] = 2 * weights.size * 4096 / _least(lambda: weights @ residues)
    return found


def _least(run: Callable[[], object], repeats: int = 10) -> float:
    """Seconds of the fastest of a few runs: a floor is no place for a neighbour's noise."""
    run()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return min(times)


def floor_of(work: Mapping[str, Any], measured: Mapping[str, float], samples: int, seconds: float) -> dict[str, Any]:
    """The bounds in seconds a sample, the largest of them, and how far `seconds` a sample are from it."""
    transform = sum(count * measured[f"transform_{n}_s"] for n, count in work["transforms"].items())
    bounds = {
        "transforms": transform / samples,
        "memory": work["bytes"] / measured["copy_bytes_per_s"] / samples,
        "products": work["operations"] / measured["operations_per_s"] / samples,
    }
    bound = max(bounds, key=lambda name: bounds[name])
    return {
        "transforms": sum(work["transforms"].values()),
        "bytes": work["bytes"],
        "operations": work["operations"],
        "seconds": bounds,
        "bound": bound,
        "distance": seconds / bounds[bound],
    }
