# SPDX-License-Identifier: AGPL-3.0-or-later
"""SHA-256 (FIPS 180-4) of many messages of one length, in one call.

The verifier hashes with hashlib; this computes the same digests where a tree has tens of thousands of short messages
and a call each would cost more than the hashing.
"""

from __future__ import annotations

import numba as nb
import numpy as np
import numpy.typing as npt

Words32 = npt.NDArray[np.uint32]


def _constants() -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """Fractional parts of cube roots (64) and square roots (8) of the first primes, in 32 bits."""
    primes = [n for n in range(2, 312) if all(n % d for d in range(2, n))]

    def root(value: int, degree: int) -> int:
        low, high = 0, value
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if middle**degree <= value else (low, middle - 1)
        return low & 0xFFFFFFFF

    k = [root(p << 96, 3) for p in primes]
    h = [root(p << 64, 2) for p in primes[:8]]
    return np.array(k, np.uint32), np.array(h, np.uint32)


_K, _H = _constants()


@nb.njit(inline="always")
def _rotate(x, n):
    return (x >> np.uint32(n)) | (x << np.uint32(32 - n))


@nb.njit(inline="always")
def _swap(x):
    """Little-endian to big-endian."""
    return _rotate(x & np.uint32(0x00FF00FF), 8) | _rotate(x & np.uint32(0xFF00FF00), 24)


@nb.njit(cache=True, nogil=True)
def _digests(messages, suffix, out, first, last, k, initial):
    words = messages.shape[1]
    blocks = (4 * words + 10 + 63) // 64
    w = np.empty(64, np.uint32)
    state = np.empty(8, np.uint32)
    for row in range(first, last):
        message = messages[row]
        for i in range(8):
            state[i] = initial[i]
        for block in range(blocks):
            for i in range(16):
                at = 16 * block + i
                if at < words:
                    w[i] = _swap(message[at])
                elif at == words:
                    w[i] = np.uint32(suffix << 24 | 0x800000)
                elif at == 16 * blocks - 1:
                    w[i] = np.uint32(8 * (4 * words + 1))
                else:
                    w[i] = np.uint32(0)
            for i in range(16, 64):
                x, y = w[i - 15], w[i - 2]
                s0 = _rotate(x, 7) ^ _rotate(x, 18) ^ (x >> np.uint32(3))
                s1 = _rotate(y, 17) ^ _rotate(y, 19) ^ (y >> np.uint32(10))
                w[i] = w[i - 16] + s0 + w[i - 7] + s1
            a, b, c, d = state[0], state[1], state[2], state[3]
            e, f, g, h = state[4], state[5], state[6], state[7]
            for i in range(64):
                s1 = _rotate(e, 6) ^ _rotate(e, 11) ^ _rotate(e, 25)
                t = h + s1 + ((e & f) ^ (~e & g)) + k[i] + w[i]
                s0 = _rotate(a, 2) ^ _rotate(a, 13) ^ _rotate(a, 22)
                u = s0 + ((a & b) ^ (a & c) ^ (b & c))
                h, g, f, e, d, c, b, a = g, f, e, np.uint32(d + t), c, b, a, np.uint32(t + u)
            state[0] += a
            state[1] += b
            state[2] += c
            state[3] += d
            state[4] += e
            state[5] += f
            state[6] += g
            state[7] += h
        for i in range(8):
            out[row, i] = _swap(state[i])


def digests(messages: Words32, suffix: int, out: Words32, first: int = 0, last: int | None = None) -> None:
    """out[i] = SHA-256(messages[i] || suffix byte) for first <= i < last.

    messages [n, length / 4] and out [n, 8] are bytes seen as little-endian words; length below 2^28.
    """
    _digests(messages, suffix, out, first, len(messages) if last is None else last, _K, _H)
