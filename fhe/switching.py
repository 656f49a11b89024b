# SPDX-License-Identifier: AGPL-3.0-or-later
"""Key switching with one digit per modulus and one special prime, in NTT form; rescaling; automorphisms.

::

    decompose(c)_i  = c mod q_i, centred, lifted to every modulus            i < level
    switch(c, key)  = round(sum_i decompose(c)_i * key_i / p)               p the special prime
    rescale(c)      = round(c / q_l)                                        q_l the last modulus left

(Bajard, Eynard, Hasan, Zucca 2016; Halevi, Polyakov, Shoup 2019; division rounds as SEAL's
``divide_and_round_q_last_ntt_inplace``). SEAL takes digits in [0, q_i): their mean, a constant polynomial, makes the
noise of the slots next to 1 on the circle thousands of times larger; centred digits have none. Rotations of
one ciphertext share its digits, and sums of rotations share one division by p (hoisting: Halevi, Shoup 2018; Bossuat,
Mouchet, Troncoso-Pastoriza, Hubaux 2021).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fhe import kernels, transforms
from fhe.errors import MalformedError
from fhe.packing.diagonals import rotation_element
from fhe.ring import Ring
from fhe.wire.keys import EvaluationKeys
from fhe.wire.residues import Limbs

Order = npt.NDArray[np.uint64]  # unsigned: no index counts from the end


@lru_cache(maxsize=256)
def permutation(element: int, n: int) -> Order:
    """Where each place of a transform in bit-reversed order comes from under X -> X^element."""
    bits = n.bit_length() - 1
    reverse = np.array([int(f"{i:0{bits}b}"[::-1], 2) for i in range(n)], np.int64)
    order: Order = reverse[(element * (2 * reverse + 1) % (2 * n)) >> 1].astype(np.uint64)
    return order


class Switcher:
    """Key switching under one session's keys."""

    def __init__(self, ring: Ring, keys: EvaluationKeys) -> None:
        self.ring = ring
        self.n = ring.n
        last = len(ring.primes) - 1
        self._same = np.zeros(0, np.uint64)
        self._keys: dict[int, Limbs] = {}
        given: Mapping[int, Limbs] = {**({} if keys.relin is None else {1: keys.relin}), **keys.galois}
        for element, key in given.items():
            self._keys[element] = ring.montgomery(key, [*range(key.shape[2] - 1), last])

    def decompose(self, poly: Limbs) -> Limbs:
        """[level, n] NTT -> digits [level, level + 1, n] NTT; the last row is modulo the special prime."""
        ring, level = self.ring, len(poly)
        coefficients = ring.backward(poly)
        digits = np.empty((level, level + 1, self.n), np.uint64)
        for j in range(level + 1):
            prime = ring.primes[j if j < level else -1]
            for i in range(level):
                if i == j:
                    digits[i, j] = poly[i]
                else:
                    source = self.ring.primes[i].q
                    shift = np.uint64(int(source) % int(prime.q))
                    half = np.uint64(int(source) >> 1)
                    kernels.lift_centred(coefficients[i], half, shift, digits[i, j], prime.q, prime.ratio)
            others = [i for i in range(level) if i != j]
            rows = np.ascontiguousarray(digits[others, j])
            transforms.forward(rows, *prime.forward, prime.q)
            digits[others, j] = rows
        return digits

    def accumulate(self, total: Limbs, digits: Limbs, element: int) -> None:
        """total [2, level + 1, n] += the digits under the automorphism, times its key; 1 is relinearisation."""
        level = len(digits)
        key = self._keys.get(element)
        if key is None or len(key) < level:
            held = 0 if key is None else len(key)
            raise MalformedError("fhe.keys.missing", f"a key for element {element} of {held} digits; required {level}")
        rows = np.array([*range(level), key.shape[2] - 1])
        primes = [*range(level), len(self.ring.primes) - 1]
        order = self._same if element == 1 else permutation(element, self.n)
        kernels.switch(total, digits, order, key, rows, self.ring.q[primes], self.ring.inverses[primes])

    def finish(self, total: Limbs) -> Limbs:
        """[2, level + 1, n] in [0, 2q) -> round(total / p): [2, level, n]."""
        level = total.shape[1] - 1
        return self._divide(self._settled(total), [*range(level), len(self.ring.primes) - 1])

    def rescale(self, limbs: Limbs) -> Limbs:
        """[..., level, n] -> [..., level - 1, n]: divided by the last modulus, rounded."""
        rows = limbs.reshape(-1, *limbs.shape[-2:])
        return self._divide(rows, list(range(limbs.shape[-2]))).reshape(*limbs.shape[:-2], limbs.shape[-2] - 1, self.n)

    def _settled(self, total: Limbs) -> Limbs:
        level = total.shape[1] - 1
        for i in range(level + 1):
            q = self.ring.q[i if i < level else -1]
            for p in range(len(total)):
                kernels.settle(total[p, i : i + 1], q)
        return total

    def _divide(self, rows: Limbs, primes: Sequence[int]) -> Limbs:
        """[r, k, n] -> [r, k - 1, n]: divided by the modulus of the last row, rounded to nearest."""
        ring = self.ring
        divisor = ring.primes[primes[-1]]
        half = np.uint64(int(divisor.q) >> 1)
        last = ring.backward(rows[:, -1:], primes[-1:])[:, 0]
        out = np.array(rows[:, :-1])
        part = np.empty((len(rows), self.n), np.uint64)
        for r in range(len(rows)):
            kernels.add_half(last[r], half, divisor.q)
        for i, index in enumerate(primes[:-1]):
            prime = ring.primes[index]
            inverse = prime.constant(pow(int(divisor.q), -1, int(prime.q)))
            for r in range(len(rows)):
                kernels.drop(part[r], last[r], half, prime.ratio, prime.q)
            transforms.forward(part, *prime.forward, prime.q)
            for r in range(len(rows)):
                kernels.subtract_scaled(out[r, i], part[r], *inverse, prime.q)
        return out

    def relinearise(self, limbs: Limbs) -> Limbs:
        """[3, level, n] NTT -> [2, level, n]."""
        total = np.zeros((2, limbs.shape[1] + 1, self.n), np.uint64)
        self.accumulate(total, self.decompose(limbs[2]), 1)
        return self.ring.add(limbs[:2], self.finish(total))

    def rotations(self, limbs: Limbs, steps: Sequence[int]) -> list[Limbs]:
        """One ciphertext [2, level, n], rotated left by each of `steps`."""
        digits = self.decompose(limbs[1]) if any(steps) else limbs[:0]
        found = []
        for step in steps:
            if step == 0:
                found.append(limbs)
                continue
            element = rotation_element(step, self.n)
            total = np.zeros((2, limbs.shape[1] + 1, self.n), np.uint64)
            self.accumulate(total, digits, element)
            turned = self.finish(total)
            turned[0] = self.ring.add(turned[0], limbs[0][:, permutation(element, self.n)])
            found.append(turned)
        return found

    def rotated_sum(self, terms: Sequence[tuple[Limbs, Sequence[int]]]) -> Limbs:
        """Sum over terms (c, steps) of c rotated left by each of its steps; one division by p for all."""
        level = terms[0][0].shape[1]
        total = np.zeros((2, level + 1, self.n), np.uint64)
        plain = np.zeros((2, level, self.n), np.uint64)
        switched = False
        for limbs, steps in terms:
            digits = self.decompose(limbs[1]) if any(steps) else limbs[:0]
            for step in steps:
                if step == 0:
                    plain = self.ring.add(plain, limbs)
                    continue
                element = rotation_element(step, self.n)
                self.accumulate(total, digits, element)
                plain[0] = self.ring.add(plain[0], limbs[0][:, permutation(element, self.n)])
                switched = True
        return self.ring.add(plain, self.finish(total)) if switched else plain
