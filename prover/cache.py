# SPDX-License-Identifier: AGPL-3.0-or-later
"""Weights commitments kept on disk, so that a model is set up once and not once per process.

::

    FOLDER/<circuit digest>.columns = "AFFWCOL1" || u64 LE positions || u64 LE rows || words     encoded columns

Nothing in the folder is believed.  The weights come from the circuit; that the columns encode them is checked with a
random combination of rows, drawn after they were read (a wrong word passes with probability 2^-127); the tree is hashed
anew.  So a file that was cut, altered or exchanged costs time, and can never lead to another root.  What the cache
saves is the encoding, the larger half of a set-up.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import struct
import threading
import time
from collections import OrderedDict
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from circuits import Circuit
from prover import kernels
from prover.layers import WeightsCommitment, commit_weights, weights_vector
from prover.opening import Committed, matrix_of, tree_over
from prover.threads import spread
from verifier.proof import vectors
from verifier.proof.commitment import Code, encode
from verifier.proof.field import P
from verifier.proof.modular import Words
from verifier.proof.weights import weight_layout

MAGIC = b"AFFWCOL1"
MAX_BYTES = 2 << 30
"""Default: all files together; those that were used longest ago go first."""
LEAST_BYTES = 1 << 20
"""Default: a smaller file is not worth keeping."""
ABANDONED_SECONDS = 3600
"""Age at which a half-written file is nobody's any more."""
IN_MEMORY = 2
"""Commitments that one cache holds in memory."""
_SUFFIX, _TEMPORARY = ".columns", ".new-"
_HEAD = struct.Struct("<QQ")


class SetUp(NamedTuple):
    """A commitment, and where it came from."""

    weights: WeightsCommitment
    source: Literal["memory", "disk", "computed"]


class WeightsCache:
    """Set-ups by circuit digest; safe for several threads and processes.

    Args:
        folder: made with mode 0700; `None` keeps nothing on disk.  Where it cannot be written, nothing is kept either:
            a cache that does not work is slow, and no error.
        limit, least: bounds on the bytes of all files, and of one worth keeping.
    """

    def __init__(self, folder: Path | None, *, limit: int = MAX_BYTES, least: int | None = None) -> None:
        self._folder, self._limit = folder, limit
        self._least = LEAST_BYTES if least is None else least
        self._memory: OrderedDict[bytes, WeightsCommitment] = OrderedDict()
        self._lock = threading.Lock()

    def set_up(self, circuit: Circuit) -> SetUp:
        """What `commit_weights` gives for this circuit, made as seldom as possible."""
        with self._lock:
            held = self._memory.get(circuit.digest)
            if held is not None:
                self._memory.move_to_end(circuit.digest)
                return SetUp(held, "memory")
            found = self._read(circuit)
            if found is None:
                found = SetUp(commit_weights.__wrapped__(circuit), "computed")
                self._write(circuit.digest, found.weights)
            self._memory[circuit.digest] = found.weights
            while len(self._memory) > IN_MEMORY:
                self._memory.popitem(last=False)
            return found

    def _read(self, circuit: Circuit) -> SetUp | None:
        layout = weight_layout(circuit)
        if self._folder is None or layout.code is None:
            return None
        path = self._folder / f"{circuit.digest.hex()}{_SUFFIX}"
        columns = _load(path, layout.code)
        if columns is None:
            return None
        words = weights_vector(circuit, layout)
        matrix = matrix_of(words, layout.code)
        if not _encodes(columns, matrix, layout.code):
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # used just now
        committed = Committed(layout.code, matrix, columns, tree_over(columns))
        return SetUp(WeightsCommitment(layout, words, committed), "disk")

    def _write(self, digest: bytes, weights: WeightsCommitment) -> None:
        if self._folder is None or weights.committed is None:
            return
        columns = weights.committed.columns
        if not self._least <= columns.nbytes <= self._limit // 2:
            return
        temporary = self._folder / f"{_TEMPORARY}{secrets.token_hex(8)}"
        with contextlib.suppress(OSError):  # a full or read-only disk: nothing is kept
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "wb") as file:
                    file.write(MAGIC + _HEAD.pack(*columns.shape))
                    file.write(columns.data)
                temporary.replace(self._folder / f"{digest.hex()}{_SUFFIX}")
            finally:
                temporary.unlink(missing_ok=True)
            self._evict()

    def _evict(self) -> None:
        """Down to the limit, the file that was used longest ago first."""
        if self._folder is None:
            return
        for path in self._folder.glob(f"{_TEMPORARY}*"):  # of a process that was killed while it wrote
            if time.time() - path.stat().st_mtime > ABANDONED_SECONDS:
                path.unlink(missing_ok=True)
        files = [(path.stat().st_mtime_ns, path.stat().st_size, path) for path in self._folder.glob(f"*{_SUFFIX}")]
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= self._limit:
                return
            path.unlink(missing_ok=True)
            total -= size


def _load(path: Path, code: Code) -> Words | None:
    """The words of a file of the right length, [positions, rows]; `None` for anything else."""
    shape = (1 << code.log_positions, code.rows)
    head = MAGIC + _HEAD.pack(*shape)
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size != len(head) + 8 * shape[0] * shape[1] or file.read(len(head)) != head:
                return None
            columns = np.empty(shape, "<u8")
            if file.readinto(columns.data.cast("B")) != columns.nbytes:  # not mapped: it must not change any more
                return None
    except OSError:
        return None
    return columns


def _encodes(columns: Words, matrix: Words, code: Code) -> bool:
    """Whether every row's encoding stands in the columns, word for word."""
    if not vectors.canonical(columns):  # the same residue, another hash
        return False
    drawn = [[secrets.randbelow(P) for _ in range(code.rows)] for _ in range(2)]
    coefficients = np.array(drawn, np.uint64)
    message = np.zeros((2, code.columns), np.uint64)
    spread(partial(kernels.combine_rows, matrix, coefficients, message), code.columns, 1024)
    found = np.empty((2, len(columns)), np.uint64)
    spread(partial(kernels.combine_columns, columns, coefficients, found), len(columns), 1024)
    return np.array_equal(found, encode(message, code.log_columns))
