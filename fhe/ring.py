# SPDX-License-Identifier: AGPL-3.0-or-later
"""Arithmetic in Z_q[X] / (X^n + 1) for a preset's primes: limbs are uint64 [..., k, n], one row per modulus.

What each function computes is said in terms of SEAL's evaluator, with which the tests compare every bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from fhe import kernels, transforms
from fhe.presets import Preset
from fhe.wire.residues import Limbs

_WORD = 1 << 64


@dataclass(frozen=True, eq=False, slots=True)
class Prime:
    """A modulus with its tables. `q`, `inverse` (-1/q mod 2^64), `ratio` (2^64 // q) as numpy scalars."""

    q: np.uint64
    inverse: np.uint64
    ratio: np.uint64
    forward: tuple[Limbs, Limbs, Limbs, Limbs]
    backward: tuple[Limbs, Limbs, Limbs, Limbs]
    scale: tuple[np.uint64, np.uint64]

    def constant(self, value: int) -> tuple[np.uint64, np.uint64]:
        """value mod q and its Shoup quotient floor(value * 2^64 / q)."""
        reduced = value % int(self.q)
        return np.uint64(reduced), np.uint64((reduced << 64) // int(self.q))


def _least_root(q: int, n: int) -> int:
    """The least primitive 2n-th root of unity mod q."""
    base = 2
    while pow(pow(base, (q - 1) // (2 * n), q), n, q) != q - 1:
        base += 1
    root = pow(base, (q - 1) // (2 * n), q)
    square, best = root * root % q, root
    for _ in range(n):
        root = root * square % q
        best = min(best, root)
    return best


def _tables(root: int, q: int, n: int) -> tuple[Limbs, Limbs, Limbs, Limbs]:
    """Powers of root in bit-reversed order, Shoup quotients, and both again as the transposed stages read them."""
    bits = n.bit_length() - 1
    power, powers = 1, [0] * n
    for i in range(n):
        powers[int(f"{i:0{bits}b}"[::-1], 2)] = power
        power = power * root % q
    w = np.array(powers, np.uint64)
    wp = np.array([(x << 64) // q for x in powers], np.uint64)
    blocks = n // transforms.TILE
    index = np.zeros((transforms.TILE - 1, blocks), np.int64)
    groups = 1
    while groups < transforms.TILE:
        for g in range(groups):
            index[groups - 1 + g] = blocks * groups + np.arange(blocks) * groups + g
        groups *= 2
    return w, wp, np.ascontiguousarray(w[index]), np.ascontiguousarray(wp[index])


@lru_cache(maxsize=64)
def prime(q: int, n: int) -> Prime:
    """Tables of a modulus."""
    root = _least_root(q, n)
    over_n = pow(n, -1, q)
    return Prime(
        np.uint64(q),
        np.uint64(-pow(q, -1, _WORD) % _WORD),
        np.uint64(_WORD // q),
        _tables(root, q, n),
        _tables(pow(root, -1, q), q, n),
        (np.uint64(over_n), np.uint64((over_n << 64) // q)),
    )


class Ring:
    """The ring of a preset; `moduli` are all its primes, the special one last."""

    def __init__(self, preset: Preset) -> None:
        self.preset = preset
        self.n = preset.n
        self.primes = [prime(q, preset.n) for q in preset.moduli]
        self.q = np.array(preset.moduli, np.uint64)
        self.inverses = np.array([p.inverse for p in self.primes], np.uint64)

    def _chosen(self, count: int, primes: Sequence[int] | None) -> list[Prime]:
        return [self.primes[i] for i in (range(count) if primes is None else primes)]

    def forward(self, limbs: Limbs, primes: Sequence[int] | None = None) -> Limbs:
        """NTT, to a new array [..., k, n]; row i is modulo prime i, or modulo `primes[i]`."""
        out = np.array(limbs, np.uint64).reshape(-1, *limbs.shape[-2:])
        for i, p in enumerate(self._chosen(out.shape[1], primes)):
            rows = np.ascontiguousarray(out[:, i])
            transforms.forward(rows, *p.forward, p.q)
            out[:, i] = rows
        return out.reshape(limbs.shape)

    def backward(self, limbs: Limbs, primes: Sequence[int] | None = None) -> Limbs:
        """The inverse NTT."""
        out = np.array(limbs, np.uint64).reshape(-1, *limbs.shape[-2:])
        for i, p in enumerate(self._chosen(out.shape[1], primes)):
            rows = np.ascontiguousarray(out[:, i])
            transforms.inverse(rows, *p.backward, p.q, *p.scale)
            out[:, i] = rows
        return out.reshape(limbs.shape)

    def montgomery(self, limbs: Limbs, primes: Sequence[int] | None = None) -> Limbs:
        """x -> 2^64 x: what the second factor of a product is kept as."""
        out = np.array(limbs, np.uint64).reshape(-1, *limbs.shape[-2:])
        for i, p in enumerate(self._chosen(out.shape[1], primes)):
            rows = np.ascontiguousarray(out[:, i])
            kernels.scale_by(rows, *p.constant(_WORD), p.q)
            out[:, i] = rows
        return out.reshape(limbs.shape)

    def residues(self, integers: np.ndarray, level: int) -> Limbs:
        """Signed int64 [..., n] -> limbs [..., level, n]."""
        rows = [np.mod(integers, np.int64(q)).astype(np.uint64) for q in self.preset.moduli[:level]]
        return np.stack(rows, axis=-2)

    def add(self, a: Limbs, b: Limbs) -> Limbs:
        """a + b, row by row; shapes [..., k, n]."""
        q = self.q[: a.shape[-2], None]
        total = a + b
        reduced: Limbs = np.minimum(total, total - q)
        return reduced
