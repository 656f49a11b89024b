# SPDX-License-Identifier: AGPL-3.0-or-later
"""ECDSA quotes, versions 3, 4 and 5: every byte read, exact lengths, nothing behind the end.

Source: Intel SGX ECDSA QuoteGenReference, A.4 (version 3); Intel TDX DCAP Quoting Library API, A.3 (versions 4 and
5, of TDs and enclaves). All integers little-endian.

::

    quote  = header[48]  [v5: body type u16, body size u32]  body  size u32  auth
    v3     auth = signature[64] key[64] qe
    v4, 5  auth = signature[64] key[64] 6:u16 size:u32 qe
    qe     = report[384] signature[64] n:u16 auth_data[n] type:u16 size:u32 certification[size]

`signature` is over everything before `size`; the rest is bound by the checks in `authenticity`.
"""

from __future__ import annotations

from dataclasses import dataclass

from attestation.errors import UnsupportedError
from attestation.intel import enclave
from attestation.intel.signature import KEY_SIZE, SIGNATURE_SIZE
from attestation.wire import Reader

MAX_QUOTE = 1 << 15
"""Bytes; real quotes have 5000 and the kernel's interface carries at most 32 KiB."""
MAX_AUTH_DATA = 1024

SGX, TDX = 0x00, 0x81
"""TEE types."""
ECDSA_P256 = 2
QE_REPORT_CERTIFICATION_DATA = 6
PCK_CERTIFICATE_CHAIN = 5
INTEL_QE_VENDOR = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")

BODY_SIZES = {1: enclave.SIZE, 2: 584, 3: 648}
"""Body type of version 5 to size: enclave report, TD report 1.0, TD report 1.5."""
_BODY_TYPE_OF = {SGX: (1,), TDX: (2, 3)}
_VERSIONS = {SGX: (3, 4, 5), TDX: (4, 5)}
_NAMES = {SGX: "SGX", TDX: "TDX"}


@dataclass(frozen=True, slots=True)
class Quote:
    """A parsed quote. `body_type` is 1 (enclave), 2 (TD 1.0) or 3 (TD 1.5); `pck_chain` the certification data."""

    version: int
    tee_type: int
    header: bytes
    body_type: int
    body: bytes
    signature: bytes
    attestation_key: bytes
    qe_report: bytes
    qe_signature: bytes
    qe_auth_data: bytes
    pck_chain: bytes

    @property
    def signed(self) -> bytes:
        """The bytes under the attestation key's signature."""
        kind = b""
        if self.version == 5:
            kind = self.body_type.to_bytes(2, "little") + len(self.body).to_bytes(4, "little")
        return self.header + kind + self.body

    def encode(self) -> bytes:
        """The quote's bytes; inverse of `parse_quote`."""
        qe = b"".join(
            [
                self.qe_report,
                self.qe_signature,
                len(self.qe_auth_data).to_bytes(2, "little"),
                self.qe_auth_data,
                PCK_CERTIFICATE_CHAIN.to_bytes(2, "little"),
                len(self.pck_chain).to_bytes(4, "little"),
                self.pck_chain,
            ]
        )
        if self.version != 3:
            qe = QE_REPORT_CERTIFICATION_DATA.to_bytes(2, "little") + len(qe).to_bytes(4, "little") + qe
        auth = self.signature + self.attestation_key + qe
        return self.signed + len(auth).to_bytes(4, "little") + auth


def parse_quote(data: bytes, tee: int, prefix: str) -> Quote:
    """Parse a quote of TEE type `tee` (`SGX` or `TDX`).

    Raises `MalformedError` (`<prefix>.quote-truncated`, `-trailing`, `-malformed`) and `UnsupportedError` with
    `<prefix>.version-unsupported`, `.tee-unsupported`, `.key-type-unsupported`, `.qe-vendor-unsupported`,
    `.body-unsupported` or `.certification-unsupported`.
    """
    reader = Reader(data, f"{prefix}.quote", "little")
    quote = _parse(reader, tee, prefix)
    reader.done()
    if quote.encode() != data:
        reader.fail("not in canonical form")
    return quote


def quote_length(data: bytes, tee: int, prefix: str) -> int:
    """Length in bytes of the quote that `data` starts with. Raises as `parse_quote` does, except for `-trailing`."""
    reader = Reader(data, f"{prefix}.quote", "little")
    _parse(reader, tee, prefix)
    return reader.offset


def _parse(reader: Reader, tee: int, prefix: str) -> Quote:
    header = reader.take(48, "header")
    version = int.from_bytes(header[:2], "little")
    _check_header(header, version, tee, prefix)
    body_type = 1 if tee == SGX else 2
    if version == 5:
        body_type, size = reader.integer(2, "body type"), reader.integer(4, "body size")
        if body_type not in _BODY_TYPE_OF[tee]:
            raise UnsupportedError(f"{prefix}.body-unsupported", f"body type {body_type}; {_BODY_TYPE_OF[tee]}")
        if size != BODY_SIZES[body_type]:
            reader.fail(f"body of {size} bytes; type {body_type} has {BODY_SIZES[body_type]}")
    body = reader.take(BODY_SIZES[body_type], "body")
    end = reader.integer(4, "size of the signature data") + reader.offset
    signature, key = reader.take(SIGNATURE_SIZE, "signature"), reader.take(KEY_SIZE, "attestation key")
    if version != 3:
        outer = reader.integer(2, "certification data type")
        if outer != QE_REPORT_CERTIFICATION_DATA:
            raise UnsupportedError(
                f"{prefix}.certification-unsupported",
                f"certification data of type {outer}; {QE_REPORT_CERTIFICATION_DATA} (QE report) needed",
            )
        if reader.integer(4, "size of certification data") != end - reader.offset:
            reader.fail("the certification data does not fill the signature data")
    qe_report, qe_signature = reader.take(enclave.SIZE, "QE report"), reader.take(SIGNATURE_SIZE, "QE signature")
    auth_data = reader.sized(MAX_AUTH_DATA, "QE authentication data")
    kind, size = reader.integer(2, "certification data type"), reader.integer(4, "size of certification data")
    if kind != PCK_CERTIFICATE_CHAIN:
        raise UnsupportedError(
            f"{prefix}.certification-unsupported",
            f"certification data of type {kind}; {PCK_CERTIFICATE_CHAIN} (PCK certificate chain) needed",
            remedy="let the quoting service put the PCK certificate chain into the quote",
        )
    chain = reader.take(size, "PCK certificate chain")
    if reader.offset != end:
        reader.fail(f"the signature data ends at {reader.offset}; its size says {end}")
    return Quote(version, tee, header, body_type, body, signature, key, qe_report, qe_signature, auth_data, chain)


def _check_header(header: bytes, version: int, tee: int, prefix: str) -> None:
    """Version 3 has 4 reserved bytes where later ones have the TEE type: 0 is SGX in both."""
    if version not in (3, 4, 5):
        raise UnsupportedError(f"{prefix}.version-unsupported", f"quote version {version}; 3, 4 or 5")
    key_type = int.from_bytes(header[2:4], "little")
    if key_type != ECDSA_P256:
        raise UnsupportedError(f"{prefix}.key-type-unsupported", f"attestation key type {key_type}; 2 (ECDSA P-256)")
    found = int.from_bytes(header[4:8], "little")
    if found != tee:
        raise UnsupportedError(
            f"{prefix}.tee-unsupported",
            f"a quote of {_NAMES.get(found, f'TEE type 0x{found:x}')}; {_NAMES[tee]} expected",
        )
    if version not in _VERSIONS[tee]:
        raise UnsupportedError(
            f"{prefix}.version-unsupported", f"{_NAMES[tee]} quote of version {version}; {_VERSIONS[tee]}"
        )
    if header[12:28] != INTEL_QE_VENDOR:
        raise UnsupportedError(f"{prefix}.qe-vendor-unsupported", f"QE vendor {header[12:28].hex()}; Intel's needed")
