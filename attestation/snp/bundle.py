# SPDX-License-Identifier: AGPL-3.0-or-later
"""Certificates around a report: the member `certificates`, and the forms from which it is made.

The member is DER, concatenated, the VEK first, then its issuer, then AMD's root; the latter two may be left out. One
set of certificates has one encoding.

`arrange` makes it from PEM or DER in any order, and from the table of GUIDs that the kernel gives with an extended
report:

    entry = GUID (16 bytes)  offset (4, little-endian)  length (4)      ... ended by an entry of zeros

Source of the table: AMD 56421 (GHCB), SNP Extended Guest Request.
"""

from __future__ import annotations

from uuid import UUID

from cryptography import x509

from attestation.armour import decode_pem
from attestation.collateral.recognition import recognise
from attestation.errors import MalformedError
from attestation.pki.certificate import MAX_CERTIFICATE, MAX_INTERMEDIATES, load_certificate, load_chain
from attestation.pki.path import der
from attestation.snp.vek import is_vek

PREFIX = "evidence.snp.certificates"
MAX_CERTIFICATES = MAX_INTERMEDIATES * MAX_CERTIFICATE
MAX_ENTRIES = 32
MAX_TABLE = 1 << 20
ENTRY_SIZE = 24

TABLE_GUIDS = {
    "63da758d-e664-4564-adc5-f4b93be8accd": "VCEK",
    "a8074bc2-a25a-483e-aae6-39c045a0b8a1": "VLEK",
    "4ab7b379-bbac-4fe4-a02f-05aef327c782": "ASK",
    "c0b406a4-a803-4952-9743-3fb6014cd0ae": "ARK",
}
"""Entries with other GUIDs are left out; they are no certificates."""


def load_bundle(data: bytes) -> tuple[x509.Certificate, ...]:
    """The certificates of the member, VEK first.

    Raises `MalformedError` with `evidence.snp.certificates-malformed`, `UnsupportedError` with `-unsupported`.
    """
    certificates = load_chain(data, PREFIX)
    if not certificates or not is_vek(certificates[0]) or any(is_vek(other) for other in certificates[1:]):
        raise MalformedError(f"{PREFIX}-malformed", "exactly one VCEK or VLEK expected, before its issuers")
    return certificates


def arrange(data: bytes) -> bytes:
    """The member from a PEM file, DER certificates, or a certificate table; empty when there is no certificate.

    Certificates are put in order, each once; the root goes last. Raises as `load_bundle` does.
    """
    if len(data) > MAX_TABLE:
        raise MalformedError(f"{PREFIX}-malformed", f"a file of {len(data)} bytes; at most {MAX_TABLE}")
    found = _certificates(data)
    if not found:
        for name, content in parse_table(data).items():
            pieces = _certificates(content)
            if not pieces:
                raise MalformedError(f"{PREFIX}-malformed", f"no certificate where the table has the {name}")
            found += pieces
    distinct = list(dict.fromkeys(found))
    if len(distinct) > MAX_INTERMEDIATES:
        raise MalformedError(f"{PREFIX}-malformed", f"{len(distinct)} certificates; at most {MAX_INTERMEDIATES}")
    certificates = [load_certificate(item, PREFIX) for item in distinct]
    certificates.sort(key=lambda certificate: (not is_vek(certificate), certificate.issuer == certificate.subject))
    return b"".join(der(certificate) for certificate in certificates)


def _certificates(data: bytes) -> list[bytes]:
    """DER of the certificates in a text of nothing but PEM, or in DER; none where `data` starts as neither."""
    if data.lstrip(b"\r\n").startswith(b"-----BEGIN "):
        try:
            items = decode_pem(data.removesuffix(b"\0"))
        except ValueError as error:
            raise MalformedError(f"{PREFIX}-malformed", str(error)) from None
        if any(label != b"CERTIFICATE" for label, _ in items):
            raise MalformedError(f"{PREFIX}-malformed", "PEM of something else than certificates")
        return [certificate for _, certificate in items]
    return [der(certificate) for certificate in load_chain(data, PREFIX)] if data[:1] == b"\x30" else []


def parse_table(data: bytes) -> dict[str, bytes]:
    """Certificates (PEM or DER) of a certificate table by name: `VCEK`, `VLEK`, `ASK`, `ARK`.

    A host fills the table, so that nothing in it is believed here. Contents lie behind the entries, and zeros wherever
    there is no content: what is behind a report and no table of its own, as another report, is not passed over. Raises
    `MalformedError` with `evidence.snp.certificates-malformed`.
    """
    found: dict[str, bytes] = {}
    rest = bytearray(data)
    start = left = len(data)
    for index in range(MAX_ENTRIES + 1):
        entry = data[index * ENTRY_SIZE : (index + 1) * ENTRY_SIZE]
        if not any(entry) and len(entry) in (0, ENTRY_SIZE):
            if any(rest[index * ENTRY_SIZE :]) or start < index * ENTRY_SIZE:
                raise MalformedError(f"{PREFIX}-malformed", "a certificate table with something else in it")
            return found
        if len(entry) < ENTRY_SIZE:
            break
        offset, length = int.from_bytes(entry[16:20], "little"), int.from_bytes(entry[20:24], "little")
        if length > len(data) or offset > len(data) - length:
            raise MalformedError(f"{PREFIX}-malformed", f"entry {index} lies outside of the table")
        if length:
            left -= length
            if left < 0:
                raise MalformedError(f"{PREFIX}-malformed", "entries of a certificate table that overlap")
            start = min(start, offset)
            rest[offset : offset + length] = bytes(length)
        name = TABLE_GUIDS.get(str(UUID(bytes=entry[:16])))
        if name is None and any(item.kind == "x509" for item in recognise(data[offset : offset + length])):
            raise MalformedError(f"{PREFIX}-malformed", "a certificate under a GUID of none")
        if name is not None and length:
            if name in found:
                raise MalformedError(f"{PREFIX}-malformed", f"two entries for {name}")
            found[name] = data[offset : offset + length]
    raise MalformedError(f"{PREFIX}-malformed", "a certificate table without end")
