# SPDX-License-Identifier: AGPL-3.0-or-later
"""The evidence of this machine, as the command line opens it, and the certificate that enrolment left behind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from attestation import EvidenceError
from attestation.producers import Producer, detect
from attestation.simulated import SimulatedEvidence

if TYPE_CHECKING:
    from attestation.tpm2.producer import Tpm2Producer

AK_CERTIFICATE = "ak-certificate.der"


def open_producer(choice: str, tcti: str, folder: Path, notes: Console) -> Producer | None:
    """The source of evidence for ``choice`` (``auto``, ``tpm``, ``simulated``, ``none``).

    Says on ``notes`` in one line when evidence is simulated or the TPM is not enrolled.

    Raises:
        attestation.EvidenceError: the TPM was asked for and cannot be used.
    """
    if choice == "none":
        return None
    device = next(candidate for candidate in detect() if candidate.name == "tpm2-device")
    if choice == "simulated" or (choice == "auto" and not device.available and not tcti):
        reason = "as asked" if choice == "simulated" else device.reason
        remedy = f" ({device.remedy})" if device.remedy and choice == "auto" else ""
        notes.print(
            f"[yellow]note[/] evidence is simulated and proves nothing: {escape(reason + remedy)}",
            highlight=False,
        )
        return SimulatedEvidence()
    return open_tpm(tcti, folder, notes)


def open_tpm(tcti: str, folder: Path, notes: Console) -> Producer:
    """This machine's TPM, with the AK certificate from an earlier enrolment if there is one."""
    from attestation.tpm2.device import DEVICE_TCTI, TpmDevice
    from attestation.tpm2.producer import Tpm2Producer

    device = TpmDevice(tcti or DEVICE_TCTI)
    try:
        producer = Tpm2Producer(device)
    except BaseException:
        device.close()
        raise
    certificate = folder / AK_CERTIFICATE
    if certificate.exists() and _certifies(certificate.read_bytes(), producer):
        producer.certify(certificate.read_bytes())
    else:
        which = "enrolled under another key" if certificate.exists() else "not enrolled"
        notes.print(
            f"[yellow]note[/] this TPM is {which}, so verifiers cannot tie its key to it: "
            "affidavit node enrol --verifier URL",
            highlight=False,
        )
    return producer


def _certifies(certificate: bytes, producer: Tpm2Producer) -> bool:
    """Whether an earlier enrolment is of this TPM's key: another machine's certificate would only be refused."""
    from attestation.tpm2.certificates import load_certificate
    from attestation.tpm2.public import parse_public

    try:
        key = load_certificate(certificate).public_key()
    except (EvidenceError, ValueError):
        return False
    return key == parse_public(producer.enrolment().ak_public).key()
