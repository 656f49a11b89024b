# SPDX-License-Identifier: AGPL-3.0-or-later
"""Fiat-Shamir: a hash chain over labelled messages.

::

    state_0 = SHA-256("affidavit/proof@v1\\0transcript")
    absorb(label, data):   state <- SHA-256(state || 0x00 || len(label) as u8 || label || len(data) as u64 LE || data)
    draw(label):           block_i = SHA-256(state || 0x01 || len(label) as u8 || label || i as u64 LE), i = 0, 1, ...
                           state   <- SHA-256(state || 0x02 || len(label) as u8 || label)

A challenge reads 64-bit little-endian words from the blocks and skips words >= p, so that it is uniform.  The labels
make the order of messages part of the protocol; `tests/proof/inventory.txt` lists what precedes each challenge.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from verifier.proof.field import Element, P

START = b"affidavit/proof@v1\0transcript"


class Transcript:
    """The state of one conversation.  `events` names what was absorbed and drawn, in order."""

    def __init__(self) -> None:
        self._state = hashlib.sha256(START).digest()
        self.events: list[str] = []

    def absorb(self, label: str, data: bytes) -> None:
        """Take a message in."""
        name = label.encode()
        head = b"\0" + bytes([len(name)]) + name + len(data).to_bytes(8, "little")
        digest = hashlib.sha256(self._state + head)
        digest.update(data)
        self._state = digest.digest()
        self.events.append(f"absorb {label}")

    def absorb_elements(self, label: str, elements: Sequence[Element]) -> None:
        """Take field elements in, 16 bytes each: both coordinates, little-endian."""
        self.absorb(label, b"".join(a.to_bytes(8, "little") + b.to_bytes(8, "little") for a, b in elements))

    def _words(self, label: str) -> Iterator[int]:
        name = label.encode()
        head = bytes([len(name)]) + name
        state = self._state
        self._state = hashlib.sha256(state + b"\2" + head).digest()
        self.events.append(f"draw {label}")
        counter = 0
        while True:
            block = hashlib.sha256(state + b"\1" + head + counter.to_bytes(8, "little")).digest()
            for i in range(0, 32, 8):
                yield int.from_bytes(block[i : i + 8], "little")
            counter += 1

    def challenge(self, label: str) -> Element:
        """A uniform element of F."""
        return self.challenges(label, 1)[0]

    def challenges(self, label: str, count: int) -> list[Element]:
        """`count` uniform elements of F."""
        words = (w for w in self._words(label) if w < P)
        return [(next(words), next(words)) for _ in range(count)]

    def indices(self, label: str, count: int, log_size: int) -> list[int]:
        """`count` uniform integers below 2^log_size, drawn with replacement; log_size <= 64."""
        words = self._words(label)
        return [next(words) & ((1 << log_size) - 1) for _ in range(count)]
