# SPDX-License-Identifier: AGPL-3.0-or-later
"""The prover's side of `verifier.proof.commitment`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prover import kernels, sha
from prover.messages import Writer
from prover.threads import spread
from verifier.proof import merkle, vectors
from verifier.proof.commitment import QUERIES, RATE_BITS, Code, coset_powers, powers_of
from verifier.proof.field import Element
from verifier.proof.modular import Words
from verifier.proof.transcript import Transcript

_SHORT = 512
"""Bytes below which a call of hashlib costs more than the hashing."""

_PIECE = 1 << 16
"""Words or bytes worth a thread."""


@dataclass(frozen=True, eq=False)
class Committed:
    """Matrix, its encoded columns [positions, rows], and the Merkle tree, leaves first, each level [n, 8] words."""

    code: Code
    matrix: Words
    columns: Words
    tree: list[sha.Words32]

    @property
    def root(self) -> bytes:
        """The commitment."""
        return self.tree[-1].tobytes()


def commit(vector: Words, code: Code) -> Committed:
    """Commit to `code.length` words."""
    matrix = matrix_of(vector, code)
    columns = np.empty((1 << code.log_positions, code.rows), "<u8")
    powers = np.stack([coset_powers(code.log_columns, s) for s in range(1 << RATE_BITS)])
    twiddles = vectors.roots(code.log_columns)
    spread(
        lambda first, last: kernels.encode_columns(matrix, powers, twiddles, columns, first, last),
        code.rows,
        max(8, _PIECE >> code.log_columns),
    )
    return Committed(code, matrix, columns, tree_over(columns))


def matrix_of(vector: Words, code: Code) -> Words:
    """The vector row by row, filled up with zeros: [rows, columns]."""
    matrix = np.zeros((code.rows, code.columns), np.uint64)
    matrix.reshape(-1)[: code.length] = vector[: code.length]
    return matrix


def tree_over(columns: Words) -> list[sha.Words32]:
    """The Merkle tree over encoded columns, leaves first."""
    tree = [leaf_digests(columns)]
    while len(tree[-1]) > 1:
        tree.append(hashed(tree[-1].reshape(-1, 16), 1))
    return tree


def leaf_digests(columns: Words) -> sha.Words32:
    """Leaf hash of every row: [n, 8] words."""
    if 8 * columns.shape[1] < _SHORT:
        return hashed(columns.view("<u4"), 0)
    data, size = memoryview(columns.tobytes()), 8 * columns.shape[1]

    def piece(first: int, last: int) -> bytes:
        return b"".join(merkle.leaf(data[i * size : (i + 1) * size]) for i in range(first, last))

    joined = b"".join(spread(piece, len(columns), max(1, 16 * _PIECE // size) if size > 2047 else len(columns)))
    return np.frombuffer(joined, "<u4").reshape(-1, 8)


def hashed(messages: sha.Words32, suffix: int) -> sha.Words32:
    """SHA-256 of every row and the suffix: [n, 8] words."""
    out = np.empty((len(messages), 8), "<u4")
    spread(lambda first, last: sha.digests(messages, suffix, out, first, last), len(messages), 1024)
    return out


def open_at(committed: Committed, writer: Writer, transcript: Transcript, point: list[Element]) -> None:
    """Send the opening at a point."""
    code = committed.code
    high = point[: len(point) - code.log_columns]
    mix = transcript.challenge("proximity mix")
    rows = np.zeros((2, 2, code.columns), np.uint64)
    coefficients = (vectors.eq_vector(high, code.rows), powers_of(mix, code.rows))
    spread(
        lambda first, last: [
            kernels.combine_rows(committed.matrix, c, rows[i], first, last) for i, c in enumerate(coefficients)
        ],
        code.columns,
        max(64, _PIECE // code.rows),
    )
    data = rows.transpose(0, 2, 1).astype("<u8").tobytes()
    writer.raw("opening rows", data)
    transcript.absorb("opening rows", data)
    positions = sorted(set(transcript.indices("queries", QUERIES, code.log_positions)))
    writer.raw("opened columns", committed.columns[positions].tobytes())
    needed = merkle.siblings_needed(positions, code.log_positions)
    writer.raw("Merkle siblings", b"".join(committed.tree[level][i].tobytes() for level, i in needed))
