# SPDX-License-Identifier: AGPL-3.0-or-later
"""The NVIDIA producer: a report of every GPU of this machine over one nonce, with each one's certificate chain."""

from __future__ import annotations

import threading

from attestation.collateral.recognition import recognise
from attestation.errors import EvidenceError, OperationalError
from attestation.nvidia.appraisal import GPU_TYPE
from attestation.nvidia.nvml import NONCE_SIZE, Nvml
from attestation.nvidia.trust import MAX_DEVICES


class NvidiaProducer:
    """Evidence of a machine's GPUs. `collect` may be called by several threads; sets are made one at a time."""

    type = GPU_TYPE
    simulated = False

    def __init__(self, library: Nvml) -> None:
        """Raises `OperationalError` with `evidence.nvidia.device-unavailable`."""
        self._library, self._lock = library, threading.Lock()
        if not library.confidential():
            raise OperationalError(
                "evidence.nvidia.device-unavailable",
                "NVIDIA's GPUs are not in confidential mode",
                remedy="the host switches it on (nvidia gpu-admin-tools)",
            )
        self._devices = library.devices()
        if not 1 <= len(self._devices) <= MAX_DEVICES:
            raise OperationalError(
                "evidence.nvidia.device-unavailable", f"{len(self._devices)} GPUs; 1 to {MAX_DEVICES} supported"
            )

    def describe(self) -> str:
        """One line for people."""
        return f"NVIDIA confidential computing, {len(self._devices)} GPU" + "s" * (len(self._devices) > 1)

    def collect(self, challenge: bytes) -> dict[str, bytes]:
        """The members of `nvidia-gpu@v1` for a challenge of 1 to 32 bytes.

        Raises `OperationalError` with `evidence.challenge-too-long` or `evidence.nvidia.device-failed`.
        """
        if not 1 <= len(challenge) <= NONCE_SIZE:
            raise OperationalError("evidence.challenge-too-long", f"challenge of {len(challenge)} bytes; 1 to 32")
        nonce = challenge.ljust(NONCE_SIZE, b"\0")
        members = {}
        with self._lock:
            for index, device in enumerate(self._devices):
                members[f"report_{index}"] = self._library.report(device, nonce)
                members[f"chain_{index}"] = _der(self._library.chain(device))
        return members

    def close(self) -> None:
        """End the use of the library."""
        with self._lock:
            self._library.close()


def _der(chain: bytes) -> bytes:
    try:
        found = [item.data for item in recognise(chain) if item.kind == "x509"]
    except EvidenceError as error:
        raise OperationalError("evidence.nvidia.device-failed", f"the GPU's certificates: {error.message}") from None
    if not found:
        raise OperationalError("evidence.nvidia.device-failed", "the GPU gives no certificate")
    return b"".join(found)
