# SPDX-License-Identifier: AGPL-3.0-or-later
"""Wire format: an attestation report, that is an SPDM 1.1 GET_MEASUREMENTS request and the signed response to it.

Source: DMTF DSP0274 1.1.0, sections 10.11 (GET_MEASUREMENTS, MEASUREMENTS) and 10.11.1 (measurement block). Integers
are little-endian. NVIDIA's devices put both messages behind each other, the transcript that the signature is over.

::

    request   11 e0 01 ff   nonce[32]   slot            version, code, signature wanted, all blocks
    response  11 60 00 00   blocks   length[3]   block*   nonce[32]   length[2] opaque   r[48] s[48]
    block     index   01   size[2]   type   size[2]   value
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from attestation.errors import UnsupportedError
from attestation.wire import Reader

PREFIX = "evidence.nvidia.report"

MAX_REPORT = 16384
"""Bytes of a report; real ones have 2 to 5 kB."""
MAX_OPAQUE = 4096
VALUE_SIZES = frozenset({32, 48, 64})
"""Bytes of a measurement: a SHA-2 digest."""

VERSION = 0x11
NONCE_SIZE = 32
SIGNATURE_SIZE = 96

_REQUEST = bytes((VERSION, 0xE0, 0x01, 0xFF))
_RESPONSE = bytes((VERSION, 0x60, 0x00, 0x00))
_DMTF = 1
_MAX_SLOT = 7

# Order of the curve P-384 (SEC 2, section 2.5.1).
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973


@dataclass(frozen=True, slots=True)
class Report:
    """A parsed report.

    `nonce` is the requester's, `measurements` maps block index (from 1) to digest, `opaque` are the vendor's fields as
    bytes, `signed` is the transcript that `r` and `s` are over.
    """

    nonce: bytes
    responder_nonce: bytes
    measurements: Mapping[int, bytes]
    record: bytes
    opaque: bytes
    signed: bytes
    r: int
    s: int

    @property
    def by_index(self) -> dict[int, bytes]:
        """Measurements by index from 0, as RIMs count."""
        return {index - 1: value for index, value in self.measurements.items()}


def parse_report(data: bytes) -> Report:
    """Parse a report; every byte of it is read, and every byte but the signature's is under the signature.

    Raises `MalformedError` (`evidence.nvidia.report-*`), `UnsupportedError` with `evidence.nvidia.report-version`.
    """
    reader = Reader(data, PREFIX, "little")
    _header(reader, _REQUEST, "request")
    nonce = reader.take(NONCE_SIZE, "requester's nonce")
    if (slot := reader.integer(1, "slot")) > _MAX_SLOT:
        reader.fail(f"slot {slot}; at most {_MAX_SLOT}")
    _header(reader, _RESPONSE, "response")
    blocks = reader.integer(1, "number of blocks")
    record = reader.take(reader.integer(3, "length of the record"), "measurement record")
    responder_nonce = reader.take(NONCE_SIZE, "responder's nonce")
    size = reader.integer(2, "length of the opaque data")
    if size > MAX_OPAQUE:
        reader.fail(f"{size} bytes of opaque data; at most {MAX_OPAQUE}")
    opaque = reader.take(size, "opaque data")
    signed = data[: reader.offset]
    r = int.from_bytes(reader.take(SIGNATURE_SIZE // 2, "r"), "big")
    s = int.from_bytes(reader.take(SIGNATURE_SIZE // 2, "s"), "big")
    reader.done()
    if not (0 < r < _ORDER and 0 < s < _ORDER):
        reader.fail("a number of the signature is zero, or not below the curve's order")
    return Report(nonce, responder_nonce, _measurements(record, blocks), record, opaque, signed, r, s)


def _header(reader: Reader, expected: bytes, what: str) -> None:
    found = reader.take(len(expected), f"header of the {what}")
    if found[0] != VERSION and found[0] in (0x10, 0x12, 0x13, 0x14) and found[1] == expected[1]:
        raise UnsupportedError(
            f"{PREFIX}-version",
            f"SPDM {found[0] >> 4}.{found[0] & 15}; 1.1 is what these devices speak",
            remedy="use a newer release",
        )
    if found != expected:
        reader.fail(f"no {what} of GET_MEASUREMENTS for all blocks with signature")


def _measurements(record: bytes, blocks: int) -> dict[int, bytes]:
    reader = Reader(record, PREFIX, "little")
    found: dict[int, bytes] = {}
    last = 0
    for _ in range(blocks):
        index = reader.integer(1, "block index")
        if index <= last:
            reader.fail(f"block {index} after block {last}")
        last = index
        if reader.integer(1, "measurement specification") != _DMTF:
            reader.fail("a measurement block that is not of the DMTF's specification")
        outer = reader.integer(2, "block size")
        reader.integer(1, "measurement type")
        size = reader.integer(2, "measurement size")
        if outer != size + 3 or size not in VALUE_SIZES:
            reader.fail(f"a measurement of {size} bytes in a block of {outer}")
        found[index] = reader.take(size, "measurement")
    if not found:
        reader.fail("no measurement")
    reader.done()
    return found


def signed_reports(members: Mapping[str, bytes]) -> bytes:
    """What the devices' signatures cover, whatever the order of the devices: reports without their last field."""
    return b"".join(each_signed_report(members))


def each_signed_report(members: Mapping[str, bytes]) -> tuple[bytes, ...]:
    """The same of each device, sorted."""
    return tuple(sorted(data[:-SIGNATURE_SIZE] for name, data in members.items() if name.startswith("report_")))
