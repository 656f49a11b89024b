# SPDX-License-Identifier: AGPL-3.0-or-later
"""The attestation report that Azure's paravisor (HCL) leaves in NV index 0x01400001 of a confidential VM's vTPM.

::

    header          32 bytes    "HCLA", version, report size, request type, status, reserved; unmeasured
    hardware report 1184 bytes  SNP report, or TDREPORT (1024 bytes) and zeros
    request data    20 bytes    data size, version, report type, hash type, size of the runtime data; unmeasured
    runtime data    JSON        hardware report's report_data = H(runtime data), followed by zeros

Integers are little-endian. Source: microsoft/openvmm, `openhcl_attestation_protocol::igvm_attest::get`
(`IgvmAttestRequestBase`, request version 1); Azure, "Confidential VM guest attestation design detail".

What is unmeasured carries no information here: every field has the one value that the rest implies, apart from the
header's version (1 or 2, which mean the same), so that nobody can say anything by it.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Literal

from attestation.contract import Check
from attestation.errors import UnsupportedError
from attestation.wire import Reader

PREFIX = "evidence.azure.hcl"
SIGNATURE = b"HCLA"
HEADER_VERSIONS = (1, 2)
REQUEST_TYPE_AK_CERTIFICATE = 2
REQUEST_DATA_VERSION = 1
REPORT_TYPES = {2: "snp", 4: "tdx"}
HASHES = {1: "sha256", 2: "sha384", 3: "sha512"}

HARDWARE_AREA = 1184
HARDWARE_SIZES = {"snp": 1184, "tdx": 1024}
REQUEST_DATA_SIZE = 20
FIXED_SIZE = 32 + HARDWARE_AREA + REQUEST_DATA_SIZE
MAX_RUNTIME_DATA = 8192
MAX_HCL_REPORT = FIXED_SIZE + MAX_RUNTIME_DATA
"""Bytes. The NV index of today has room for 2600."""

Platform = Literal["snp", "tdx"]


@dataclass(frozen=True, slots=True)
class HclReport:
    """A parsed report.

    `hardware_report` is a SEV-SNP attestation report (1184 bytes) or a TDREPORT (1024 bytes), by `platform`. A TDREPORT
    can be verified by its own CPU alone: of it believe nothing that a TD quote does not repeat. `runtime_data` are the
    JSON bytes as received (`attestation.azure.runtime` reads them).
    """

    version: int
    platform: Platform
    hardware_report: bytes
    hash_name: str
    runtime_data: bytes

    def report_data(self) -> bytes:
        """The 64 bytes of report data that a hardware report of this runtime data has."""
        return hashlib.new(self.hash_name, self.runtime_data).digest().ljust(64, b"\0")

    def encode(self) -> bytes:
        """The report's bytes without padding; inverse of `parse_hcl_report`."""
        size = len(self.runtime_data)
        kind = next(number for number, name in REPORT_TYPES.items() if name == self.platform)
        digest = next(number for number, name in HASHES.items() if name == self.hash_name)
        header = (self.version, FIXED_SIZE + size, REQUEST_TYPE_AK_CERTIFICATE, 0, 0, 0, 0)
        request = (REQUEST_DATA_SIZE + size, REQUEST_DATA_VERSION, kind, digest, size)
        return b"".join(
            [
                SIGNATURE,
                *(value.to_bytes(4, "little") for value in header),
                self.hardware_report.ljust(HARDWARE_AREA, b"\0"),
                *(value.to_bytes(4, "little") for value in request),
                self.runtime_data,
            ]
        )


def parse_hcl_report(data: bytes) -> HclReport:
    """Parse a report that ends with its runtime data (`without_padding` cuts what an NV index has behind that).

    Raises `MalformedError` with `evidence.azure.hcl-truncated`, `-trailing` or `-malformed`, `UnsupportedError` with
    `evidence.azure.hcl-unsupported` for versions, platforms and hashes that are not known.
    """
    reader = Reader(data, PREFIX, "little")
    if reader.take(4, "signature") != SIGNATURE:
        reader.fail("does not start with HCLA")
    version = reader.integer(4, "version")
    _known(version, HEADER_VERSIONS, "header version")
    reader.take(4, "report size")
    _known(reader.integer(4, "request type"), (REQUEST_TYPE_AK_CERTIFICATE,), "request type")
    reader.take(16, "status and reserved")
    area = reader.take(HARDWARE_AREA, "hardware report")
    reader.take(4, "data size")
    _known(reader.integer(4, "request data version"), (REQUEST_DATA_VERSION,), "request data version")
    kind, digest = reader.integer(4, "report type"), reader.integer(4, "hash type")
    _known(kind, tuple(REPORT_TYPES), "report type")
    _known(digest, tuple(HASHES), "hash type")
    platform: Platform = "snp" if REPORT_TYPES[kind] == "snp" else "tdx"
    size = reader.integer(4, "runtime data size")
    if not 0 < size <= MAX_RUNTIME_DATA:
        reader.fail(f"runtime data of {size} bytes; 1 to {MAX_RUNTIME_DATA}")
    runtime_data = reader.take(size, "runtime data")
    reader.done()
    report = HclReport(version, platform, area[: HARDWARE_SIZES[platform]], HASHES[digest], runtime_data)
    if report.encode() != data:
        reader.fail("sizes that do not agree, or bits set where there should be none")
    return report


def without_padding(data: bytes) -> bytes:
    """`data` without the zeros that an NV index has behind the report; `data` itself where there are none, or others.

    For readers of raw files: the member of an evidence format is the report without padding.
    """
    size = int.from_bytes(data[8:12], "little")
    if data[:4] == SIGNATURE and FIXED_SIZE < size < len(data) and not any(data[size:]):
        return data[:size]
    return data


def check_runtime_data(report: HclReport, report_data: bytes) -> Check:
    """Is `report_data`, 64 bytes from a hardware report whose signature was verified, the hash of the runtime data?

    FAIL with `evidence.azure.runtime-data-mismatch`.
    """
    expected = report.report_data()
    same = hmac.compare_digest(report_data, expected)
    return Check(
        "evidence.azure.runtime-data",
        "PASS" if same else "FAIL",
        report_data.hex(),
        f"{expected.hex()}: {report.hash_name} of the runtime data",
        "" if same else "evidence.azure.runtime-data-mismatch",
        category="instance-identity",
    )


def _known(value: int, known: tuple[int, ...], what: str) -> None:
    if value not in known:
        raise UnsupportedError(
            f"{PREFIX}-unsupported",
            f"{what} {value}; supported: {', '.join(map(str, known))}",
            remedy="send other evidence",
        )
