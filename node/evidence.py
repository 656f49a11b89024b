# SPDX-License-Identifier: AGPL-3.0-or-later
"""The machine's evidence at the node: one open producer, one challenge at a time; and evidence over the keys."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from verifier.keys import KeySet

KEYS_LABEL = b"affidavit/keys@v1\x00"
CHALLENGE_BYTES = 32


class Producer(Protocol):
    """What a format in ``attestation`` offers for producing."""

    @property
    def type(self) -> str: ...

    @property
    def simulated(self) -> bool: ...

    def describe(self) -> str: ...

    def collect(self, challenge: bytes) -> Mapping[str, bytes]: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Evidence:
    """One piece: its format, and its native parts by member name."""

    type: str
    members: Mapping[str, bytes]


class EvidenceSource:
    """Serialises access to a producer: a TPM does one thing at a time."""

    def __init__(self, producer: Producer) -> None:
        self._producer, self._lock = producer, threading.Lock()
        self.type, self.simulated = producer.type, producer.simulated

    def collect(self, challenge: bytes) -> Evidence:
        """Fresh evidence over a 32-byte challenge; raises :class:`attestation.EvidenceError`."""
        with self._lock:
            return Evidence(self.type, dict(self._producer.collect(challenge)))

    def describe(self) -> str:
        """One line for people."""
        return self._producer.describe()


def keys_message(challenge: bytes, keys: KeySet) -> bytes:
    """What a node signs to show that both public keys are its own, now (docs/spec/sealed-v1.md, section 4).

    ``"affidavit/keys@v1" || 0x00 || challenge (32) || signing key (32) || sealing key (32)``; its SHA-256 is the
    challenge for the machine's evidence. The label keeps both apart from receipts and contexts.
    """
    return KEYS_LABEL + challenge + keys.signing + keys.sealing


def keys_digest(challenge: bytes, keys: KeySet) -> bytes:
    """SHA-256 of :func:`keys_message`: 32 bytes."""
    return hashlib.sha256(keys_message(challenge, keys)).digest()
