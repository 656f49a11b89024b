# SPDX-License-Identifier: AGPL-3.0-or-later
"""The report body of an SGX enclave: of a quoted enclave, and of the quoting enclaves themselves.

Source: Intel SDM volume 3D, 39.15 (REPORT); DCAP ECDSA quote library reference, A.4. Little-endian, 384 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from attestation.wire import Reader

SIZE = 384
INIT = 1 << 0
DEBUG = 1 << 1
MODE64 = 1 << 2
PROVISION_KEY = 1 << 4
EINITTOKEN_KEY = 1 << 5
_RESERVED_FLAGS = (1 << 3) | (((1 << 64) - 1) & ~((1 << 11) - 1))
"""Bit 3 and bits 11 up of ATTRIBUTES.FLAGS; 6 to 10 are CET, KSS, AEX-notify and their like."""


@dataclass(frozen=True, slots=True)
class EnclaveReport:
    """A parsed report body. `flags` is ATTRIBUTES.FLAGS, `xfrm` ATTRIBUTES.XFRM; SVN and product numbers as integers.

    `isv_ext_prod_id`, `config_id`, `config_svn` and `isv_family_id` are those of key separation and sharing.
    """

    cpu_svn: bytes
    misc_select: int
    isv_ext_prod_id: bytes
    flags: int
    xfrm: int
    mr_enclave: bytes
    mr_signer: bytes
    config_id: bytes
    isv_prod_id: int
    isv_svn: int
    config_svn: int
    isv_family_id: bytes
    report_data: bytes
    reserved: bytes
    """The 12 + 32 + 32 + 42 reserved bytes, in order."""

    @property
    def debug(self) -> bool:
        """Whether a debugger may read and write the enclave."""
        return bool(self.flags & DEBUG)

    @property
    def attributes(self) -> bytes:
        """ATTRIBUTES as 16 bytes."""
        return self.flags.to_bytes(8, "little") + self.xfrm.to_bytes(8, "little")

    @property
    def sound(self) -> str:
        """What is wrong with flags and reserved bytes; empty where nothing is."""
        if not self.flags & INIT:
            return "the enclave is not initialised"
        if self.flags & _RESERVED_FLAGS:
            return f"reserved attribute bits in 0x{self.flags:016x}"
        return "reserved bytes are not zero" if any(self.reserved) else ""


def parse_enclave_report(data: bytes, prefix: str) -> EnclaveReport:
    """Parse 384 bytes. Raises `MalformedError` (`<prefix>-truncated`, `-trailing`)."""
    reader = Reader(data, prefix, "little")
    cpu_svn, misc_select = reader.take(16, "CPUSVN"), reader.integer(4, "MISCSELECT")
    reserved = reader.take(12, "reserved")
    ext_prod_id = reader.take(16, "ISVEXTPRODID")
    flags, xfrm = reader.integer(8, "ATTRIBUTES.FLAGS"), reader.integer(8, "ATTRIBUTES.XFRM")
    mr_enclave = reader.take(32, "MRENCLAVE")
    reserved += reader.take(32, "reserved")
    mr_signer = reader.take(32, "MRSIGNER")
    reserved += reader.take(32, "reserved")
    config_id = reader.take(64, "CONFIGID")
    prod_id, svn = reader.integer(2, "ISVPRODID"), reader.integer(2, "ISVSVN")
    config_svn = reader.integer(2, "CONFIGSVN")
    reserved += reader.take(42, "reserved")
    family, report_data = reader.take(16, "ISVFAMILYID"), reader.take(64, "REPORTDATA")
    reader.done()
    return EnclaveReport(
        cpu_svn,
        misc_select,
        ext_prod_id,
        flags,
        xfrm,
        mr_enclave,
        mr_signer,
        config_id,
        prod_id,
        svn,
        config_svn,
        family,
        report_data,
        reserved,
    )
