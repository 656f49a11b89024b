# SPDX-License-Identifier: AGPL-3.0-or-later
"""UEFI_VARIABLE_DATA, the data of measured UEFI variables.

Source: TCG PC Client Platform Firmware Profile 1.06, 10.4.2.6; UEFI 2.10, 3.3 (global variables).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from attestation.errors import MalformedError
from attestation.wire import Reader

PREFIX = "evidence.eventlog.variable"
EFI_GLOBAL_VARIABLE = uuid.UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")
MAX_NAME = 512


@dataclass(frozen=True, slots=True)
class UefiVariable:
    """A measured variable: vendor GUID, name, value."""

    guid: uuid.UUID
    name: str
    value: bytes

    def encode(self) -> bytes:
        """UEFI_VARIABLE_DATA bytes."""
        name = self.name.encode("utf-16-le")
        lengths = (len(name) // 2).to_bytes(8, "little") + len(self.value).to_bytes(8, "little")
        return self.guid.bytes_le + lengths + name + self.value


def parse_variable(data: bytes) -> UefiVariable:
    """Parse UEFI_VARIABLE_DATA of exact length. Raises `MalformedError` (`evidence.eventlog.variable-*`)."""
    reader = Reader(data, PREFIX, "little")
    guid = uuid.UUID(bytes_le=reader.take(16, "GUID"))
    characters, size = reader.integer(8, "name length"), reader.integer(8, "data length")
    if characters > MAX_NAME:
        reader.fail(f"name of {characters} characters; at most {MAX_NAME}")
    raw = reader.take(characters * 2, "name")
    value = reader.take(size, "data")
    reader.done()
    try:
        name = raw.decode("utf-16-le")
    except UnicodeDecodeError:
        raise MalformedError(f"{PREFIX}-malformed", "variable name is not UTF-16") from None
    return UefiVariable(guid, name, value)
