# SPDX-License-Identifier: AGPL-3.0-or-later
"""The Nitro producer: attestation documents of this enclave, the challenge in their field `nonce`."""

from __future__ import annotations

import threading

from attestation.errors import EvidenceError, OperationalError
from attestation.nitro.appraisal import TYPE
from attestation.nitro.nsm import Nsm
from attestation.nitro.raw import read


class NitroProducer:
    """Evidence of one enclave. `collect` may be called by several threads; documents are made one at a time."""

    type = TYPE
    simulated = False

    def __init__(self, module: Nsm) -> None:
        self._module, self._lock = module, threading.Lock()

    def describe(self) -> str:
        """One line for people."""
        return "AWS Nitro enclave"

    def collect(self, challenge: bytes) -> dict[str, bytes]:
        """The member of `nitro-document@v1` for a challenge of 1 to 64 bytes.

        Raises `OperationalError` with `evidence.challenge-too-long` or `evidence.nitro.device-failed`.
        """
        if not 1 <= len(challenge) <= 64:
            raise OperationalError("evidence.challenge-too-long", f"challenge of {len(challenge)} bytes; 1 to 64")
        with self._lock:
            document = self._module.attest(challenge)
        try:
            return read(document)
        except EvidenceError as error:
            raise OperationalError("evidence.nitro.device-failed", f"the module's answer: {error.message}") from None

    def close(self) -> None:
        """Close the device."""
        with self._lock:
            self._module.close()
