# SPDX-License-Identifier: AGPL-3.0-or-later
"""ATTESTATION_REPORT: 1184 bytes, little-endian, signed over the first 672.

Source: AMD 56860 (SEV-SNP firmware ABI), ATTESTATION_REPORT: version 3 adds the CPUID, version 5 mitigation vectors.
"""

from __future__ import annotations

from dataclasses import dataclass

from attestation.errors import UnsupportedError
from attestation.snp.policy import PLATFORM_BITS, POLICY_BITS, POLICY_KNOWN, POLICY_ONE, names
from attestation.wire import Reader

PREFIX = "evidence.snp.report"
REPORT_SIZE = 1184
SIGNED_SIZE = 0x2A0
VERSIONS = (2, 3, 5)
ECDSA_P384_SHA384 = 1
SIGNING_KEYS = {0: "vcek", 1: "vlek", 7: "none"}
COMPONENT_SIZE = 72
"""Octets of r and of s."""


@dataclass(frozen=True, slots=True)
class Report:
    """A parsed report; `data` are its bytes as received. TCB versions are 8 octets, see `tcb`.

    `cpuid` is family, model, stepping, None before version 3. `firmware` and `committed_firmware` are (major, minor,
    build). `mitigations` are the verified mitigation vectors at launch and now, None before version 5.
    """

    data: bytes
    version: int
    guest_svn: int
    policy: int
    family_id: bytes
    image_id: bytes
    vmpl: int
    signature_algorithm: int
    current_tcb: bytes
    platform_info: int
    author_key_enabled: bool
    chip_key_masked: bool
    signing_key: str
    report_data: bytes
    measurement: bytes
    host_data: bytes
    id_key_digest: bytes
    author_key_digest: bytes
    report_id: bytes
    migration_agent_report_id: bytes
    reported_tcb: bytes
    cpuid: tuple[int, int, int] | None
    chip_id: bytes
    committed_tcb: bytes
    firmware: tuple[int, int, int]
    committed_firmware: tuple[int, int, int]
    launch_tcb: bytes
    mitigations: tuple[int, int] | None
    r: int
    s: int

    @property
    def policy_names(self) -> frozenset[str]:
        """Names of the policy bits that are set."""
        return names(self.policy, POLICY_BITS)

    @property
    def platform_names(self) -> frozenset[str]:
        """Names of the platform information bits that are set."""
        return names(self.platform_info, PLATFORM_BITS)

    def encode(self) -> bytes:
        """The report's bytes; inverse of `parse_report`."""
        signing = next(number for number, name in SIGNING_KEYS.items() if name == self.signing_key)
        key_info = self.author_key_enabled | self.chip_key_masked << 1 | signing << 2
        mitigations = b"".join(vector.to_bytes(8, "little") for vector in self.mitigations or ())
        signed = b"".join(
            [
                self.version.to_bytes(4, "little"),
                self.guest_svn.to_bytes(4, "little"),
                self.policy.to_bytes(8, "little"),
                self.family_id,
                self.image_id,
                self.vmpl.to_bytes(4, "little"),
                self.signature_algorithm.to_bytes(4, "little"),
                self.current_tcb,
                self.platform_info.to_bytes(8, "little"),
                key_info.to_bytes(8, "little"),
                self.report_data,
                self.measurement,
                self.host_data,
                self.id_key_digest,
                self.author_key_digest,
                self.report_id,
                self.migration_agent_report_id,
                self.reported_tcb,
                bytes(self.cpuid or ()).ljust(24, b"\0"),
                self.chip_id,
                self.committed_tcb,
                bytes((*reversed(self.firmware), 0, *reversed(self.committed_firmware), 0)),
                self.launch_tcb,
                mitigations,
            ]
        )
        signature = self.r.to_bytes(COMPONENT_SIZE, "little") + self.s.to_bytes(COMPONENT_SIZE, "little")
        return (signed.ljust(SIGNED_SIZE, b"\0") + signature).ljust(REPORT_SIZE, b"\0")


def parse_report(data: bytes) -> Report:
    """Parse a report, refusing anything that is not canonical: reserved bits, other sizes.

    Raises `MalformedError` with `evidence.snp.report-truncated`, `-trailing` or `-malformed`, `UnsupportedError` with
    `evidence.snp.report-version-unsupported`.
    """
    reader = Reader(data, PREFIX, "little")
    version = reader.integer(4, "version")
    if version not in VERSIONS:
        raise UnsupportedError(
            f"{PREFIX}-version-unsupported",
            f"report version {version}; supported: {', '.join(map(str, VERSIONS))}",
            remedy="use a newer release, or other evidence",
        )
    svn, policy = reader.integer(4, "guest SVN"), reader.integer(8, "policy")
    if policy & ~POLICY_KNOWN or not policy >> POLICY_ONE & 1:
        reader.fail(f"reserved bits of policy 0x{policy:x}")
    family_id, image_id = reader.take(16, "family id"), reader.take(16, "image id")
    vmpl, algorithm = reader.integer(4, "VMPL"), reader.integer(4, "signature algorithm")
    if vmpl > 3:
        reader.fail(f"VMPL {vmpl}; 0 to 3")
    current, platform_info = reader.take(8, "current TCB"), reader.integer(8, "platform information")
    key_info = reader.integer(8, "key information")
    if key_info >> 5 or key_info >> 2 not in SIGNING_KEYS:
        reader.fail(f"key information 0x{key_info:x} with reserved bits or a reserved signing key")
    report = Report(
        data=data,
        version=version,
        guest_svn=svn,
        policy=policy,
        family_id=family_id,
        image_id=image_id,
        vmpl=vmpl,
        signature_algorithm=algorithm,
        current_tcb=current,
        platform_info=platform_info,
        author_key_enabled=bool(key_info & 1),
        chip_key_masked=bool(key_info & 2),
        signing_key=SIGNING_KEYS[key_info >> 2],
        report_data=reader.take(64, "report data"),
        measurement=reader.take(48, "measurement"),
        host_data=reader.take(32, "host data"),
        id_key_digest=reader.take(48, "id key digest"),
        author_key_digest=reader.take(48, "author key digest"),
        report_id=reader.take(32, "report id"),
        migration_agent_report_id=reader.take(32, "migration agent's report id"),
        reported_tcb=reader.take(8, "reported TCB"),
        cpuid=_cpuid(reader, version),
        chip_id=reader.take(64, "chip id"),
        committed_tcb=reader.take(8, "committed TCB"),
        firmware=_firmware(reader, "current"),
        committed_firmware=_firmware(reader, "committed"),
        launch_tcb=reader.take(8, "launch TCB"),
        mitigations=_mitigations(reader, version),
        r=reader.integer(COMPONENT_SIZE, "r"),
        s=reader.integer(COMPONENT_SIZE, "s"),
    )
    reader.take(REPORT_SIZE - reader.offset, "reserved")
    reader.done()
    if report.encode() != data:
        reader.fail("reserved bytes that are not zero")
    return report


def _cpuid(reader: Reader, version: int) -> tuple[int, int, int] | None:
    family, model, stepping, *_ = reader.take(24, "CPUID")
    return None if version < 3 else (family, model, stepping)


def _firmware(reader: Reader, what: str) -> tuple[int, int, int]:
    build, minor, major, _ = reader.take(4, f"{what} firmware version")
    return major, minor, build


def _mitigations(reader: Reader, version: int) -> tuple[int, int] | None:
    vectors = reader.integer(8, "mitigations at launch"), reader.integer(8, "mitigations now")
    reader.take(SIGNED_SIZE - reader.offset, "reserved")
    return None if version < 5 else vectors
