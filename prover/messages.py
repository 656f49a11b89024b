# SPDX-License-Identifier: AGPL-3.0-or-later
"""Writing a proof: every message goes to the bytes and into the transcript."""

from __future__ import annotations

from collections.abc import Sequence

from verifier.proof.field import Element
from verifier.proof.transcript import Transcript
from verifier.proof.wire import MAGIC


class Writer:
    """Collects the messages of a proof; `marks` holds where each one begins."""

    def __init__(self) -> None:
        self._parts: list[bytes] = [MAGIC]
        self._size = len(MAGIC)
        self.marks: list[tuple[int, str]] = []

    def raw(self, label: str, data: bytes) -> None:
        """Bytes that the caller absorbs, or that need not be."""
        self.marks.append((self._size, label))
        self._parts.append(data)
        self._size += len(data)

    def elements(self, label: str, elements: Sequence[Element], transcript: Transcript) -> None:
        """Field elements, absorbed under the label."""
        data = b"".join(a.to_bytes(8, "little") + b.to_bytes(8, "little") for a, b in elements)
        self.raw(label, data)
        transcript.absorb(label, data)

    def bytes(self) -> bytes:
        """The proof."""
        return b"".join(self._parts)
