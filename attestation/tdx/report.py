# SPDX-License-Identifier: AGPL-3.0-or-later
"""The body of a TD's quote: TDREPORT's TD and TDX-module parts, version 1.0 (584 bytes) or 1.5 (648).

Source: Intel TDX DCAP Quoting Library API, A.3.2; Intel TDX Module 1.5 ABI, TDREPORT_STRUCT, TDINFO_STRUCT and
ATTRIBUTES. Little-endian.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from attestation.wire import Reader

PREFIX = "evidence.tdx.report"
MEASUREMENT_SIZE = 48
"""SHA-384."""

DEBUG = 1 << 0
SEPT_VE_DISABLE = 1 << 28
ATTRIBUTES: Mapping[int, str] = MappingProxyType(
    {
        DEBUG: "DEBUG",
        1 << 4: "HGS_PLUS_PROF",
        1 << 5: "PERF_PROF",
        1 << 6: "PMT_PROF",
        1 << 27: "LASS",
        SEPT_VE_DISABLE: "SEPT_VE_DISABLE",
        1 << 29: "MIGRATABLE",
        1 << 30: "PKS",
        1 << 31: "KL",
        1 << 62: "TPA",
        1 << 63: "PERFMON",
    }
)
HARMLESS = SEPT_VE_DISABLE | 1 << 30 | 1 << 31 | 1 << 63
"""What a trusted TD may have set: bits 0 to 7 make it untrusted, the rest is reserved or lets others move it."""

REGISTERS = (
    "mr_td",
    "mr_seam",
    "mr_signer_seam",
    "mr_config_id",
    "mr_owner",
    "mr_owner_config",
    "rtmr0",
    "rtmr1",
    "rtmr2",
    "rtmr3",
)
"""Names of the 48-byte registers that can have reference values."""


@dataclass(frozen=True, slots=True)
class TdReport:
    """A parsed body. `registers` by the names in `REGISTERS`; `tee_tcb_svn2` and `mr_service_td` are empty in 1.0."""

    tee_tcb_svn: bytes
    seam_attributes: bytes
    attributes: int
    xfam: bytes
    registers: Mapping[str, bytes]
    report_data: bytes
    tee_tcb_svn2: bytes = b""
    mr_service_td: bytes = b""

    @property
    def debug(self) -> bool:
        """Whether the host may read and write the TD's memory and registers."""
        return bool(self.attributes & DEBUG)

    def attribute_names(self) -> list[str]:
        """Names of the attributes that are set, unknown ones by their bit."""
        return [ATTRIBUTES.get(1 << bit, f"bit {bit}") for bit in range(64) if self.attributes >> bit & 1]


def parse_td_report(body: bytes) -> TdReport:
    """Parse the body of a TDX quote. Raises `MalformedError` (`evidence.tdx.report-truncated`, `-trailing`)."""
    reader = Reader(body, PREFIX, "little")
    values: dict[str, bytes] = {}

    def register(name: str) -> None:
        values[name] = reader.take(MEASUREMENT_SIZE, name)

    tee_tcb_svn = reader.take(16, "TEE_TCB_SVN")
    register("mr_seam")
    register("mr_signer_seam")
    seam_attributes = reader.take(8, "SEAMATTRIBUTES")
    attributes, xfam = reader.integer(8, "ATTRIBUTES"), reader.take(8, "XFAM")
    for name in ("mr_td", "mr_config_id", "mr_owner", "mr_owner_config", "rtmr0", "rtmr1", "rtmr2", "rtmr3"):
        register(name)
    report_data = reader.take(64, "REPORTDATA")
    tcb_svn2 = service_td = b""
    if reader.left:
        tcb_svn2, service_td = reader.take(16, "TEE_TCB_SVN2"), reader.take(48, "MRSERVICETD")
    reader.done()
    registers = MappingProxyType(values)
    return TdReport(tee_tcb_svn, seam_attributes, attributes, xfam, registers, report_data, tcb_svn2, service_td)
