# SPDX-License-Identifier: AGPL-3.0-or-later
"""SHA-256 (FIPS 180-4) of many messages of one length, sixteen side by side.

The verifier hashes with hashlib; this computes the same digests where a tree has tens of thousands of short messages
and a call each would cost more than the hashing.  The compression function is written as vector instructions for LLVM,
since a compiler does not find them in a loop over messages.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import numba as nb
import numpy as np
import numpy.typing as npt
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types
from numba.extending import intrinsic

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


LANES = 16
"""Messages that are hashed side by side."""

_WORDS = ir.VectorType(ir.IntType(32), LANES)


def _compressed(builder: ir.IRBuilder, state: list[Any], block: list[Any]) -> list[Any]:
    """The compression function, FIPS 180-4 section 6.2.2, on vectors with one word of each message.

    The words of the block are little-endian.
    """

    def word(value: int) -> ir.Constant:
        return ir.Constant(_WORDS, [value] * LANES)

    def rotated(x: Any, n: int) -> Any:
        return builder.or_(builder.lshr(x, word(n)), builder.shl(x, word(32 - n)))

    def xor(*terms: Any) -> Any:
        return reduce(builder.xor, terms)

    def total(*terms: Any) -> Any:
        return reduce(builder.add, terms)

    def swapped(x: Any) -> Any:
        return builder.or_(
            builder.and_(rotated(x, 8), word(0xFF00FF00)), builder.and_(rotated(x, 24), word(0x00FF00FF))
        )

    w = [swapped(x) for x in block]
    a, b, c, d, e, f, g, h = state
    for i in range(64):
        if i >= 16:
            x, y = w[i - 15], w[i - 2]
            s0 = xor(rotated(x, 7), rotated(x, 18), builder.lshr(x, word(3)))
            s1 = xor(rotated(y, 17), rotated(y, 19), builder.lshr(y, word(10)))
            w.append(total(w[i - 16], s0, w[i - 7], s1))
        s1 = xor(rotated(e, 6), rotated(e, 11), rotated(e, 25))
        t = total(h, s1, xor(g, builder.and_(e, xor(f, g))), word(int(_K[i])), w[i])
        s0 = xor(rotated(a, 2), rotated(a, 13), rotated(a, 22))
        majority = builder.or_(builder.and_(a, b), builder.and_(c, builder.or_(a, b)))
        h, g, f, e, d, c, b, a = g, f, e, builder.add(d, t), c, b, a, total(t, s0, majority)
    return [builder.add(x, y) for x, y in zip(state, (a, b, c, d, e, f, g, h), strict=True)]


@intrinsic
def _compress(typing, state, block):
    """State [8, LANES] and a block [16, LANES], little-endian words as they lie in memory; the state is replaced."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        rows = []
        for kind, value, count in zip(signature.args, arguments, (8, 16), strict=True):
            data = context.make_array(kind)(context, builder, value).data
            start = builder.bitcast(data, _WORDS.as_pointer())
            rows.append([builder.gep(start, [ir.Constant(ir.IntType(64), i)]) for i in range(count)])
        held = [builder.load(p, align=4) for p in rows[0]]
        words = [builder.load(p, align=4) for p in rows[1]]
        for value, pointer in zip(_compressed(builder, held, words), rows[0], strict=True):
            builder.store(value, pointer, align=4)
        return context.get_dummy_value()

    return types.void(state, block), generate


@nb.njit(inline="always")
def _swap(x):
    """Little-endian to big-endian."""
    low = (x & np.uint32(0xFF)) << np.uint32(24) | (x & np.uint32(0xFF00)) << np.uint32(8)
    return low | (x >> np.uint32(8)) & np.uint32(0xFF00) | x >> np.uint32(24)


@nb.njit(cache=True, nogil=True)
def _digests(messages, suffix, out, first, last, initial):
    words = messages.shape[1]
    blocks = (4 * words + 10 + 63) // 64
    block = np.empty((16, 16), np.uint32)
    state = np.empty((8, 16), np.uint32)
    for start in range(first, last, 16):
        count = min(16, last - start)
        for i in range(8):
            for lane in range(16):
                state[i, lane] = initial[i]
        for number in range(blocks):
            for i in range(16):
                at = 16 * number + i
                if at < words:
                    for lane in range(count):
                        block[i, lane] = messages[start + lane, at]
                else:
                    fill = np.uint32(0)
                    if at == words:
                        fill = np.uint32(suffix | 0x8000)
                    elif at == 16 * blocks - 1:
                        bits = np.uint32(8 * (4 * words + 1))
                        fill = _swap(bits)
                    for lane in range(16):
                        block[i, lane] = fill
            _compress(state, block)  # type: ignore[call-arg]
        for i in range(8):
            for lane in range(count):
                out[start + lane, i] = _swap(state[i, lane])


def digests(messages: Words32, suffix: int, out: Words32, first: int = 0, last: int | None = None) -> None:
    """out[i] = SHA-256(messages[i] || suffix byte) for first <= i < last.

    messages [n, length / 4] and out [n, 8] are bytes seen as little-endian words; length below 2^28.
    """
    _digests(messages, suffix, out, first, len(messages) if last is None else last, _H)
