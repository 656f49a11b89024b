# SPDX-License-Identifier: AGPL-3.0-or-later
"""The measured boot of a software TPM: the events a UEFI machine has, with this program's own among them.

What is "measured" is described by text, since no firmware runs; the log's form, its digests and the PCRs that
they extend are the real thing. PCR 13 (system extensions: the software a node adds to its operating system)
receives the node's software digest.
"""

from __future__ import annotations

from attestation.eventlog.events import (
    EV_ACTION,
    EV_EFI_ACTION,
    EV_EFI_BOOT_SERVICES_APPLICATION,
    EV_EFI_VARIABLE_DRIVER_CONFIG,
    EV_EVENT_TAG,
    EV_IPL,
    EV_NO_ACTION,
    EV_SEPARATOR,
    Event,
    EventLog,
    SpecId,
    digest,
)
from attestation.eventlog.replay import STARTUP_LOCALITY
from attestation.eventlog.variables import EFI_GLOBAL_VARIABLE, UefiVariable

NODE_SOFTWARE_PCR = 13
_S_CRTM_VERSION = 0x00000008
_VARIABLES = (("SecureBoot", b"\x00"), ("PK", b""), ("KEK", b""))


def node_software_event(software: bytes) -> bytes:
    """The event data that stands for node software with this SHA-256 (32 bytes)."""
    return b"affidavit node software sha256:" + software.hex().encode("ascii")


def node_software_pcr(software: bytes, bank: str = "sha256") -> bytes:
    """What the node software PCR holds after such a boot: the reference value for a policy."""
    size = len(digest(bank, b""))
    return digest(bank, bytes(size) + digest(bank, node_software_event(software)))


def boot_log(algorithms: tuple[str, ...], software: bytes) -> EventLog:
    """A crypto-agile log of one boot, with a digest per algorithm for each event."""
    events: list[Event] = [
        Event(0, EV_NO_ACTION, {name: bytes(len(digest(name, b""))) for name in algorithms}, _locality())
    ]

    def measure(register: int, kind: int, data: bytes) -> None:
        events.append(Event(register, kind, {name: digest(name, data) for name in algorithms}, data))

    measure(0, _S_CRTM_VERSION, "software TPM, no firmware\x00".encode("utf-16-le"))
    for name, value in _VARIABLES:
        variable = UefiVariable(EFI_GLOBAL_VARIABLE, name, value)
        measure(7, EV_EFI_VARIABLE_DRIVER_CONFIG, variable.encode())
    measure(4, EV_EFI_ACTION, b"Calling EFI Application from Boot Option")
    for register in range(8):
        measure(register, EV_SEPARATOR, bytes(4))
    measure(4, EV_EFI_BOOT_SERVICES_APPLICATION, b"boot loader of a software TPM")
    measure(8, EV_IPL, b"grub_cmd: linux /vmlinuz")
    measure(9, EV_IPL, b"/vmlinuz of a software TPM")
    measure(5, EV_EFI_ACTION, b"Exit Boot Services Invocation")
    measure(5, EV_EFI_ACTION, b"Exit Boot Services Returned with Success")
    measure(11, EV_ACTION, b"ready")
    measure(NODE_SOFTWARE_PCR, EV_EVENT_TAG, node_software_event(software))
    spec = SpecId(platform_class=0, minor=0, major=2, errata=0, uintn_size=2, algorithms=algorithms)
    return EventLog(spec, spec.header(), tuple(events))


def _locality() -> bytes:
    return STARTUP_LOCALITY + b"\x00"
