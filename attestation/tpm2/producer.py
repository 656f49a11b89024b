# SPDX-License-Identifier: AGPL-3.0-or-later
"""The TPM producer: an open TPM, its keys and certificates, and members for a challenge.

with TpmDevice(tcti) as device:
    producer = Tpm2Producer(device)
    credential, pending = registrar.challenge(producer.enrolment(), at)
    producer.certify(registrar.issue(pending, producer.activate(credential), at))
    members = producer.collect(challenge)
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

from attestation.errors import OperationalError, UnsupportedError
from attestation.tpm2.appraisal import TYPE
from attestation.tpm2.credential import Credential
from attestation.tpm2.device import TpmDevice
from attestation.tpm2.presence import read_boot_log
from attestation.tpm2.registrar import Enrolment

DEFAULT_PCRS = tuple(range(16))
"""Boot (0 to 9) and operating system (10 to 15) of a PC-class machine."""


class Tpm2Producer:
    """Evidence of one TPM. `collect` may be called by several threads; quotes are made one at a time.

    `ek_certificate` (DER) is needed where the TPM does not store one; `event_log` where the system's log is
    not this TPM's. `pcrs` maps bank to indices; by default PCRs 0 to 15 of the sha256 bank.
    """

    type = TYPE
    simulated = False

    def __init__(
        self,
        device: TpmDevice,
        *,
        ek_kind: str = "rsa-2048",
        ak_kind: str = "ecc-p256",
        ek_certificate: bytes | None = None,
        ek_chain: bytes = b"",
        event_log: bytes | None = None,
        pcrs: Mapping[str, Iterable[int]] | None = None,
    ) -> None:
        found = ek_certificate or device.read_ek_certificate(ek_kind)
        if found is None:
            raise UnsupportedError(
                "evidence.tpm2.ek-certificate-missing",
                "the TPM stores no EK certificate for this kind of key",
                remedy="give the maker's EK certificate, or use the other kind of EK",
            )
        self._device = device
        self._lock = threading.Lock()
        self._ek_kind = ek_kind
        self._ak = device.create_ak(ak_kind)
        self._ek_certificate, self._ek_chain = found, ek_chain
        self._event_log = event_log if event_log is not None else read_boot_log()
        self._pcrs = {bank: tuple(indices) for bank, indices in (pcrs or {"sha256": DEFAULT_PCRS}).items()}
        self._ak_certificate, self._ak_chain = b"", b""

    def describe(self) -> str:
        """One line for people."""
        return f"TPM 2.0, AK name {self._ak.public.name().hex()[:20]}..."

    def enrolment(self) -> Enrolment:
        """What an attestation CA needs to see."""
        return Enrolment(self._ak.public_bytes, self._ek_certificate, self._ek_chain)

    def activate(self, credential: Credential) -> bytes:
        """The secret in the attestation CA's credential."""
        ek = self._device.create_ek(self._ek_kind)
        try:
            return self._device.activate(self._ak, ek, credential)
        finally:
            self._device.flush(ek)

    def certify(self, ak_certificate: bytes, ak_chain: bytes = b"") -> None:
        """Carry this AK certificate (DER), and the CAs between it and the policy's anchor, from now on."""
        self._ak_certificate, self._ak_chain = ak_certificate, ak_chain

    def collect(self, challenge: bytes) -> dict[str, bytes]:
        """The members of `tpm2-quote@v1` for a challenge of 1 to 64 bytes (32 in an affidavit)."""
        if not 1 <= len(challenge) <= 64:
            raise OperationalError("evidence.challenge-too-long", f"challenge of {len(challenge)} bytes; 1 to 64")
        with self._lock:
            quote = self._device.quote(self._ak, challenge, self._pcrs)
        members = {
            "attest": quote.attest,
            "signature": quote.signature,
            "pcrs": quote.pcrs,
            "ak_public": self._ak.public_bytes,
            "ek_certificate": self._ek_certificate,
            "ek_chain": self._ek_chain,
            "ak_certificate": self._ak_certificate,
            "ak_chain": self._ak_chain,
            "event_log": self._event_log or b"",
        }
        return {name: value for name, value in members.items() if value}

    def close(self) -> None:
        """End the connection to the TPM."""
        self._device.close()
