# SPDX-License-Identifier: AGPL-3.0-or-later
"""The prover's side of `verifier.proof.commitment`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prover import kernels
from prover.messages import Writer
from verifier.proof import merkle, vectors
from verifier.proof.commitment import QUERIES, Code, encode, powers_of
from verifier.proof.field import Element
from verifier.proof.modular import Words
from verifier.proof.transcript import Transcript


@dataclass(frozen=True, eq=False)
class Committed:
    """Matrix, its encoded columns [positions, rows], and the Merkle tree, leaves first."""

    code: Code
    matrix: Words
    columns: Words
    tree: list[list[bytes]]

    @property
    def root(self) -> bytes:
        """The commitment."""
        return self.tree[-1][0]


def commit(vector: Words, code: Code) -> Committed:
    """Commit to `code.length` words."""
    matrix = np.zeros((code.rows, code.columns), np.uint64)
    matrix.reshape(-1)[: code.length] = vector[: code.length]
    columns = np.ascontiguousarray(encode(matrix, code.log_columns).T).astype("<u8", copy=False)
    data = memoryview(columns.tobytes())
    size = 8 * code.rows
    level = [merkle.leaf(data[i : i + size]) for i in range(0, len(data), size)]
    tree = [level]
    while len(level) > 1:
        level = [merkle.node(level[i], level[i + 1]) for i in range(0, len(level), 2)]
        tree.append(level)
    return Committed(code, matrix, columns, tree)


def open_at(committed: Committed, writer: Writer, transcript: Transcript, point: list[Element]) -> None:
    """Send the opening at a point."""
    code = committed.code
    high = point[: len(point) - code.log_columns]
    mix = transcript.challenge("proximity mix")
    rows = np.zeros((2, 2, code.columns), np.uint64)
    kernels.combine_rows(committed.matrix, vectors.eq_vector(high, code.rows), rows[0])
    kernels.combine_rows(committed.matrix, powers_of(mix, code.rows), rows[1])
    data = rows.transpose(0, 2, 1).astype("<u8").tobytes()
    writer.raw("opening rows", data)
    transcript.absorb("opening rows", data)
    positions = sorted(set(transcript.indices("queries", QUERIES, code.log_positions)))
    writer.raw("opened columns", committed.columns[positions].tobytes())
    needed = merkle.siblings_needed(positions, code.log_positions)
    writer.raw("Merkle siblings", b"".join(committed.tree[level][i] for level, i in needed))
