# SPDX-License-Identifier: AGPL-3.0-or-later
"""The bytes of a proof: a magic, then fixed-width messages in protocol order, and nothing else.

There is no length in a proof: the circuit, the batch and the transcript say how many bytes each message has.  A field
element is 16 bytes (two little-endian words below p), a word 8, a hash 32.
"""

from __future__ import annotations

import numpy as np

from verifier.errors import MalformedError
from verifier.proof import vectors
from verifier.proof.field import Element, P
from verifier.proof.modular import Words

MAGIC = b"AFFPROV1"
MAX_PROOF = 1 << 28
"""Bytes of a proof."""


class Reader:
    """Reads messages one after the other.  Raises MalformedError: proof.wire.truncated, .element, .trailing."""

    def __init__(self, data: bytes) -> None:
        if len(data) > MAX_PROOF:
            raise MalformedError("proof.wire.too-large", f"{len(data)} bytes; at most {MAX_PROOF} are allowed")
        self._data = bytes(data)
        self._at = 0
        if self.take(len(MAGIC), "magic") != MAGIC:
            raise MalformedError("proof.wire.magic", f"a proof begins with {MAGIC.decode()}, this begins otherwise")

    def take(self, count: int, what: str) -> bytes:
        """The next bytes."""
        if len(self._data) - self._at < count:
            raise MalformedError(
                "proof.wire.truncated",
                f"{what}: {len(self._data) - self._at} bytes are left, {count} are required",
            )
        self._at += count
        return self._data[self._at - count : self._at]

    def words(self, count: int, what: str) -> Words:
        """The next residues."""
        words = np.frombuffer(self.take(8 * count, what), "<u8").astype(np.uint64)
        if not vectors.canonical(words):
            raise MalformedError("proof.wire.element", f"{what}: a word is not below p = {P}")
        return words

    def elements(self, count: int, what: str) -> list[Element]:
        """The next field elements."""
        words = self.words(2 * count, what).tolist()
        return list(zip(words[::2], words[1::2], strict=True))

    def finish(self) -> None:
        """Nothing may be left."""
        if self._at != len(self._data):
            raise MalformedError("proof.wire.trailing", f"{len(self._data) - self._at} bytes behind the last message")
