# SPDX-License-Identifier: AGPL-3.0-or-later
"""The vendor's fields in a report: type, length, value; all of them under the report's signature.

Source: NVIDIA/nvtrust and NVIDIA/attestation-sdk, which list the types; the meaning of a few values is in the same
place, that of the others is published nowhere, and those are reported as hex.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from attestation.wire import Reader

PREFIX = "evidence.nvidia.opaque"

DRIVER_VERSION = 3
VBIOS_VERSION = 6
NVDEC0_STATUS = 11
FWID = 20
PROTECTED_PCIE = 21
PDI = 22
OPAQUE_VERSION = 34
CHIP_INFO = 35
FEATURE_FLAG = 36

MAX_OPAQUE_VERSION = 1
"""The newest layout of the opaque data that NVIDIA has published."""

NVDEC0_DISABLED = b"\x55"
_ENABLED = {b"\xaa": True, b"\x55": False}
_MODES = {0: "spt", 1: "mpt", 2: "ppcie"}
_MAX_TEXT = 64
_PDI_SIZE = 8
_GPU_PDIS = 8

GPU_FIELDS: Mapping[int, str] = {
    1: "certificate_issuer",
    2: "authority_key",
    3: "driver_version",
    4: "gpu_info",
    5: "sku",
    6: "vbios_version",
    7: "manufacturer",
    8: "tamper_detection",
    9: "smc",
    10: "vpr",
    11: "nvdec0",
    12: "measurement_counts",
    13: "cpr_info",
    14: "board_id",
    15: "chip_sku",
    16: "chip_sku_mod",
    17: "project",
    18: "project_sku",
    19: "project_sku_mod",
    20: "fwid",
    21: "protected_pcie",
    22: "switch_pdis",
    23: "floorswept_ports",
    24: "position_id",
    25: "switch_lock",
    32: "gpu_links",
    33: "system_enable_status",
    34: "opaque_version",
    35: "chip_info",
    36: "mode",
}
SWITCH_FIELDS: Mapping[int, str] = {
    **{number: name for number, name in GPU_FIELDS.items() if number <= 21},
    22: "device_pdi",
    23: "disabled_ports",
    24: "position_id",
    25: "switch_lock",
    26: "gpu_pdis",
    27: "switch_ports",
    34: "opaque_version",
}
_TEXTS = frozenset(
    {"driver_version", "chip_sku", "chip_sku_mod", "project", "project_sku", "project_sku_mod", "chip_info"}
)


@dataclass(frozen=True, slots=True)
class Opaque:
    """Fields by type, as bytes; `names` gives what is known of them."""

    fields: Mapping[int, bytes]
    names: Mapping[int, str]

    def text(self, number: int) -> str | None:
        """A field that holds text with zeros behind it; None where it is absent or no printable ASCII."""
        value = self.fields.get(number)
        return None if value is None else _text(value)

    @property
    def version(self) -> int:
        """Layout of the opaque data; 0 where the device does not say."""
        return int.from_bytes(self.fields.get(OPAQUE_VERSION, b""), "little")

    @property
    def vbios_version(self) -> str | None:
        """`96.00.5E.00.01`, as RIMs write it."""
        value = self.fields.get(VBIOS_VERSION)
        if value is None:
            return None
        if len(value) != 8:  # switches write the text itself
            return _text(value)
        # Two little-endian words, of which the second's lowest byte comes last.
        numbers = (*reversed(value[:4]), value[4])
        return ".".join(f"{number:02X}" for number in numbers)

    @property
    def unknown(self) -> list[int]:
        """Types that NVIDIA has not published."""
        return sorted(number for number in self.fields if number not in self.names)

    def describe(self) -> dict[str, Any]:
        """The fields as claims: text, numbers and booleans where their meaning is published, hex otherwise."""
        found: dict[str, Any] = {}
        for number, value in sorted(self.fields.items()):
            name = self.names.get(number, f"field_{number}")
            if name in _TEXTS:
                found[name] = _text(value) if _text(value) is not None else value.hex()
            elif name == "vbios_version":
                found[name] = self.vbios_version or value.hex()
            elif name in ("nvdec0", "protected_pcie"):
                found[name] = _ENABLED.get(value, value.hex())
            elif name == "mode":
                found[name] = _MODES.get(int.from_bytes(value, "little"), value.hex())
            elif name == "opaque_version":
                found[name] = self.version
            elif name == "switch_pdis":
                found[name] = sorted({pdi[::-1].hex() for pdi in _split(value)})
            elif name == "gpu_pdis":
                found[name] = sorted({pdi.hex() for pdi in _split(value[: _GPU_PDIS * _PDI_SIZE])})
            elif name not in ("fwid", "measurement_counts"):
                found[name] = value.hex()
        return found


def parse_opaque(data: bytes, *, switch: bool) -> Opaque:
    """Parse the opaque data. Raises `MalformedError` (`evidence.nvidia.opaque-*`)."""
    reader = Reader(data, PREFIX, "little")
    fields: dict[int, bytes] = {}
    while reader.left:
        number = reader.integer(2, "field type")
        value = reader.take(reader.integer(2, "field length"), "field")
        if number in fields:
            reader.fail(f"field {number} twice")
        fields[number] = value
    version = fields.get(OPAQUE_VERSION, b"\0")
    if not 1 <= len(version) <= 8:
        reader.fail(f"a version of {len(version)} bytes")
    return Opaque(fields, SWITCH_FIELDS if switch else GPU_FIELDS)


def _text(value: bytes) -> str | None:
    try:
        text = value.rstrip(b"\0").decode("ascii")
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() and len(text) <= _MAX_TEXT else None


def _split(value: bytes) -> list[bytes]:
    return [value[offset : offset + _PDI_SIZE] for offset in range(0, len(value), _PDI_SIZE)]
