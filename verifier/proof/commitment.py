# SPDX-License-Identifier: AGPL-3.0-or-later
"""The commitment: a matrix whose rows are Reed-Solomon encoded and whose columns are hashed (Ligero, Brakedown).

::

    Z [R, C] row by row, C = 2^c; E = RS(Z): row i as a polynomial of degree < C at the n = C / rate roots of unity
    position s*C + i holds the value at g^s * w^rev(i), g of order n, w = g^(n/C), rev reversing c bits
    root = Merkle root over the columns E[:, j]

    opening at (zeta_high, zeta_low):   v = eq(zeta_high)^T Z     and     u = sum_i kappa^i Z[i]
    check   for each queried j:  RS(v)[j] = eq(zeta_high)^T E[:, j],   RS(u)[j] = sum_i kappa^i E[i, j]
    value   <v, eq(zeta_low)>

Soundness needs no conjecture.  If E is not within half the minimum distance of the code, with one set of good columns
for all rows, then u is not either, but with probability R*n/|F| (Ben-Sasson, Carmon, Ishai, Kopparty, Saraf: Proximity
gaps for Reed-Solomon codes, FOCS 2020, theorem 1.5, unique decoding), and a query sees that with probability at least
(1 - rate)/2.  If it is, Z is determined, and a wrong v differs from the right one in more than (1 - rate)/2 of the
columns that are good.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from verifier.errors import RejectedError
from verifier.proof import merkle, modular, vectors
from verifier.proof.field import ONE, Element, P, mul, root_of_unity
from verifier.proof.modular import Words
from verifier.proof.transcript import Transcript
from verifier.proof.wire import Reader

RATE_BITS = 2
QUERIES = 150
"""Columns that are asked for, or more where `soundness` says so."""


@dataclass(frozen=True)
class Code:
    """Shape of a committed vector of `length` entries: `rows` x 2^log_columns, the last row filled with zeros."""

    length: int
    log_columns: int

    @property
    def columns(self) -> int:
        """Message length."""
        return 1 << self.log_columns

    @property
    def rows(self) -> int:
        """Rows that are not zero by definition."""
        return -(-self.length // self.columns)

    @property
    def log_positions(self) -> int:
        """log2 of the block length of the code."""
        return self.log_columns + RATE_BITS

    @property
    def log_length(self) -> int:
        """Variables of the multilinear extension; at least those of one row."""
        return max(self.log_columns, (self.length - 1).bit_length())


def choose_code(length: int) -> Code:
    """The shape with the least estimated cost in bytes and hashes; a function of the length alone."""
    bits = max(1, (length - 1).bit_length())
    best = min(range(1, bits + 1), key=lambda c: 96 * (1 << c) + 8 * QUERIES * -(-length // (1 << c)))
    return Code(length, best)


def encode(messages: Words, log_columns: int) -> Words:
    """[rows, 2^log_columns] coefficients -> [rows, 2^(log_columns + RATE_BITS)] values."""
    cosets = [vectors.transform(messages.copy())]
    for s in range(1, 1 << RATE_BITS):
        cosets.append(vectors.transform(modular.mul(messages, coset_powers(log_columns, s))))
    return np.concatenate(cosets, axis=1)


@lru_cache(maxsize=64)
def coset_powers(log_columns: int, s: int) -> Words:
    """1, g^s, g^2s, ... for g of order 2^(log_columns + RATE_BITS)."""
    step = pow(root_of_unity(log_columns + RATE_BITS), s, P)
    powers = np.ones(1, np.uint64)
    for k in range(log_columns):
        powers = np.concatenate([powers, modular.mul(powers, np.array([pow(step, 1 << k, P)], np.uint64))])
    powers.setflags(write=False)
    return powers


def powers_of(base: Element, count: int) -> Words:
    """1, base, base^2, ...: [2, count]."""
    out, current = [], ONE
    for _ in range(count):
        out.append(current)
        current = mul(current, base)
    return vectors.array(out)


def check_opening(
    reader: Reader, transcript: Transcript, root: bytes, code: Code, point: list[Element], queries: int
) -> Element:
    """The value of the committed vector's multilinear extension at a point of `code.log_length` coordinates.

    Raises RejectedError proof.opening.*.
    """
    high, low = point[: len(point) - code.log_columns], point[len(point) - code.log_columns :]
    mix = transcript.challenge("proximity mix")
    flat = reader.words(4 * code.columns, "opening rows").reshape(2, code.columns, 2)
    transcript.absorb("opening rows", flat.astype("<u8").tobytes())
    messages = np.ascontiguousarray(flat.transpose(0, 2, 1))  # [v and u, coordinate, columns]
    positions = sorted(set(transcript.indices("queries", queries, code.log_positions)))
    opened = reader.words(len(positions) * code.rows, "opened columns").reshape(len(positions), code.rows)
    raw = opened.astype("<u8", copy=False)
    hashes = [merkle.leaf(row.tobytes()) for row in raw]
    if merkle.root_of(positions, hashes, code.log_positions, lambda: reader.take(32, "Merkle siblings")) != root:
        raise RejectedError("proof.opening.path", "the opened columns are not under the commitment")
    encoded = encode(messages.reshape(4, code.columns), code.log_columns)[:, positions].reshape(2, 2, -1)
    rows = np.stack([vectors.eq_vector(high, code.rows), powers_of(mix, code.rows)], axis=1)
    combined = combine(rows, opened)
    if not np.array_equal(combined[:, 1], encoded[1]):
        raise RejectedError("proof.opening.proximity", "the random combination of rows is not that of the columns")
    if not np.array_equal(combined[:, 0], encoded[0]):
        raise RejectedError("proof.opening.evaluation", "the evaluated row is not that of the columns")
    return vectors.dot(messages[0], vectors.eq_vector(low, code.columns))


def combine(rows: Words, opened: Words) -> Words:
    """rows [2, x, R] times opened words [q, R]: [2, x, q], by limbs of 16 bits on both sides."""
    count, height = opened.shape
    limbs = np.ascontiguousarray(opened, dtype="<u8").view("<u2").reshape(count, height, 4)
    matrix = limbs.transpose(1, 2, 0).reshape(height, 4 * count).astype(np.float64)
    parts = vectors.fold(rows, matrix, 1 << 16).reshape(2, rows.shape[1], 4, count)
    base, out = np.array([1 << 16], np.uint64), parts[:, :, 3]
    for i in (2, 1, 0):
        out = modular.add(modular.mul(out, base), parts[:, :, i])
    return out
