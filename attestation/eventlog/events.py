# SPDX-License-Identifier: AGPL-3.0-or-later
"""A parsed event log and its canonical bytes.

Source: TCG PC Client Platform Firmware Profile 1.06, section 10 (event logging). All integers little-endian.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

EV_NO_ACTION = 0x00000003
EV_SEPARATOR = 0x00000004
EV_ACTION = 0x00000005
EV_EVENT_TAG = 0x00000006
EV_IPL = 0x0000000D
EV_EFI_VARIABLE_DRIVER_CONFIG = 0x80000001
EV_EFI_BOOT_SERVICES_APPLICATION = 0x80000003
EV_EFI_ACTION = 0x80000007
EV_EFI_HCRTM_EVENT = 0x80000010

TYPE_NAMES = {
    0x00000000: "EV_PREBOOT_CERT",
    0x00000001: "EV_POST_CODE",
    EV_NO_ACTION: "EV_NO_ACTION",
    EV_SEPARATOR: "EV_SEPARATOR",
    EV_ACTION: "EV_ACTION",
    EV_EVENT_TAG: "EV_EVENT_TAG",
    0x00000007: "EV_S_CRTM_CONTENTS",
    0x00000008: "EV_S_CRTM_VERSION",
    0x00000009: "EV_CPU_MICROCODE",
    0x0000000A: "EV_PLATFORM_CONFIG_FLAGS",
    0x0000000B: "EV_TABLE_OF_DEVICES",
    0x0000000C: "EV_COMPACT_HASH",
    EV_IPL: "EV_IPL",
    0x0000000E: "EV_IPL_PARTITION_DATA",
    0x0000000F: "EV_NONHOST_CODE",
    0x00000010: "EV_NONHOST_CONFIG",
    0x00000011: "EV_NONHOST_INFO",
    0x00000012: "EV_OMIT_BOOT_DEVICE_EVENTS",
    0x00000013: "EV_POST_CODE2",
    EV_EFI_VARIABLE_DRIVER_CONFIG: "EV_EFI_VARIABLE_DRIVER_CONFIG",
    0x80000002: "EV_EFI_VARIABLE_BOOT",
    EV_EFI_BOOT_SERVICES_APPLICATION: "EV_EFI_BOOT_SERVICES_APPLICATION",
    0x80000004: "EV_EFI_BOOT_SERVICES_DRIVER",
    0x80000005: "EV_EFI_RUNTIME_SERVICES_DRIVER",
    0x80000006: "EV_EFI_GPT_EVENT",
    EV_EFI_ACTION: "EV_EFI_ACTION",
    0x80000008: "EV_EFI_PLATFORM_FIRMWARE_BLOB",
    0x80000009: "EV_EFI_HANDOFF_TABLES",
    0x8000000A: "EV_EFI_PLATFORM_FIRMWARE_BLOB2",
    0x8000000B: "EV_EFI_HANDOFF_TABLES2",
    0x8000000C: "EV_EFI_VARIABLE_BOOT2",
    0x8000000D: "EV_EFI_GPT_EVENT2",
    EV_EFI_HCRTM_EVENT: "EV_EFI_HCRTM_EVENT",
    0x800000E0: "EV_EFI_VARIABLE_AUTHORITY",
    0x800000E1: "EV_EFI_SPDM_FIRMWARE_BLOB",
    0x800000E2: "EV_EFI_SPDM_FIRMWARE_CONFIG",
}

ALGORITHM_NAMES = {
    0x0004: "sha1",
    0x000B: "sha256",
    0x000C: "sha384",
    0x000D: "sha512",
    0x0012: "sm3_256",
    0x0027: "sha3_256",
    0x0028: "sha3_384",
    0x0029: "sha3_512",
}
ALGORITHM_IDS = {name: identifier for identifier, name in ALGORITHM_NAMES.items()}
ALGORITHM_SIZES = {
    "sha1": 20,
    "sha256": 32,
    "sha384": 48,
    "sha512": 64,
    "sm3_256": 32,
    "sha3_256": 32,
    "sha3_384": 48,
    "sha3_512": 64,
}
HASHABLE = frozenset({"sha1", "sha256", "sha384", "sha512", "sha3_256", "sha3_384", "sha3_512"})
"""Algorithms that the standard library always has; SM3 logs are readable, not replayable."""

SPEC_ID_03 = b"Spec ID Event03\x00"


def digest(algorithm: str, data: bytes) -> bytes:
    """Hash `data`; `algorithm` must be in `HASHABLE`."""
    return hashlib.new(algorithm, data, usedforsecurity=algorithm != "sha1").digest()


def word(value: int) -> bytes:
    """A 32-bit little-endian integer."""
    return value.to_bytes(4, "little")


@dataclass(frozen=True, slots=True)
class Event:
    """One measurement. `register` is a PCR index (an MR index in a CCEL); `digests` by algorithm name."""

    register: int
    type: int
    digests: Mapping[str, bytes]
    data: bytes

    @property
    def type_name(self) -> str:
        """The type's name, or its number; a label for people that nothing vouches for."""
        return TYPE_NAMES.get(self.type, f"0x{self.type:08x}")

    def binds_data(self, algorithm: str) -> bool:
        """True when the digest is the hash of the data: whoever vouches for one vouches for the other."""
        return algorithm in HASHABLE and self.digests.get(algorithm) == digest(algorithm, self.data)

    def encode(self, agile: bool) -> bytes:
        """TCG_PCR_EVENT2 bytes, or TCG_PCR_EVENT (SHA-1 alone) where `agile` is false."""
        head = word(self.register) + word(self.type)
        if not agile:
            return b"".join([head, self.digests["sha1"], word(len(self.data)), self.data])
        parts = [head, word(len(self.digests))]
        for name, value in self.digests.items():
            parts += [ALGORITHM_IDS[name].to_bytes(2, "little"), value]
        return b"".join([*parts, word(len(self.data)), self.data])


@dataclass(frozen=True, slots=True)
class SpecId:
    """TCG_EfiSpecIDEvent of a crypto-agile log: versions, UINTN size in 4-byte units, algorithms in order."""

    platform_class: int
    minor: int
    major: int
    errata: int
    uintn_size: int
    algorithms: tuple[str, ...]
    vendor_info: bytes = b""

    def encode(self) -> bytes:
        """The event data of the header event."""
        parts = [
            SPEC_ID_03,
            word(self.platform_class),
            bytes([self.minor, self.major, self.errata, self.uintn_size]),
            word(len(self.algorithms)),
        ]
        for name in self.algorithms:
            parts.append(ALGORITHM_IDS[name].to_bytes(2, "little"))
            parts.append(ALGORITHM_SIZES[name].to_bytes(2, "little"))
        return b"".join([*parts, bytes([len(self.vendor_info)]), self.vendor_info])

    def header(self) -> Event:
        """The header event itself: SHA-1 format, digest of zeros, never extended."""
        return Event(0, EV_NO_ACTION, {"sha1": bytes(20)}, self.encode())


@dataclass(frozen=True, slots=True)
class EventLog:
    """A parsed log. `spec` is None for a SHA-1 log of TPM 1.2 style; `header` is the first event as it
    stands in a crypto-agile log, and not among `events`. `padding` is the unused tail of a CCEL area."""

    spec: SpecId | None
    header: Event | None
    events: tuple[Event, ...]
    padding: bytes = field(default=b"", repr=False)

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The digest algorithms of the log."""
        return self.spec.algorithms if self.spec else ("sha1",)

    def encode(self) -> bytes:
        """The log's bytes; inverse of `parse_event_log`."""
        head = self.header.encode(agile=False) if self.header else b""
        agile = self.spec is not None
        return b"".join([head, *(event.encode(agile) for event in self.events), self.padding])
