# SPDX-License-Identifier: AGPL-3.0-or-later
"""Certificates around a report: the member `certificates`, and the forms from which it is made.

The member is DER, concatenated, the VEK first, then its issuer, then AMD's root; the latter two may be left out. One
set of certificates has one encoding.

`arrange` makes it from PEM or DER in any order, and from the table of GUIDs that the kernel gives with an extended
report:

    entry = GUID (16 bytes)  offset (4, little-endian)  length (4)      ... ended by an entry of zeros

Source of the table: AMD 56421 (GHCB), section 4.1.8.1, cert_table.
"""

from __future__ import annotations

from uuid import UUID

from cryptography import x509

from attestation.collateral.recognition import recognise
from attestation.errors import MalformedError
from attestation.pki.certificate import MAX_CERTIFICATE, load_certificate, load_chain
from attestation.pki.path import der
from attestation.snp.vek import is_vek

PREFIX = "evidence.snp.certificates"
MAX_CERTIFICATES = 4 * MAX_CERTIFICATE
MAX_ENTRIES = 32
MAX_TABLE = 1 << 20
ENTRY_SIZE = 24

TABLE_GUIDS = {
    "63da758d-e664-4564-adc5-f4b93be8accd": "VCEK",
    "a8074bc2-a25a-483e-aae6-39c045a0b8a1": "VLEK",
    "4ab7b379-bbac-4fe4-a02f-05aef327c782": "ASK",
    "c0b406a4-a803-4952-9743-3fb6014cd0ae": "ARK",
}
"""Entries with other GUIDs are left out."""


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
    if b"-----BEGIN " in data:
        found = [item.data for item in recognise(data) if item.kind == "x509"]
    elif data[:1] == b"\x30":
        found = [der(certificate) for certificate in load_chain(data, PREFIX)]
    else:
        found = list(parse_table(data).values())
    certificates = [load_certificate(item, PREFIX) for item in dict.fromkeys(found)]
    certificates.sort(key=lambda certificate: (not is_vek(certificate), certificate.issuer == certificate.subject))
    return b"".join(der(certificate) for certificate in certificates)


def parse_table(data: bytes) -> dict[str, bytes]:
    """Certificates (DER) of a certificate table by name: `VCEK`, `VLEK`, `ASK`, `ARK`.

    A host fills the table, so that nothing in it is believed here. Raises `MalformedError` with
    `evidence.snp.certificates-malformed`.
    """
    if len(data) > MAX_TABLE:
        raise MalformedError(f"{PREFIX}-malformed", f"a table of {len(data)} bytes; at most {MAX_TABLE}")
    found: dict[str, bytes] = {}
    for index in range(MAX_ENTRIES + 1):
        entry = data[index * ENTRY_SIZE : (index + 1) * ENTRY_SIZE]
        if not any(entry) and len(entry) in (0, ENTRY_SIZE):
            return found
        if len(entry) < ENTRY_SIZE:
            break
        offset, length = int.from_bytes(entry[16:20], "little"), int.from_bytes(entry[20:24], "little")
        if length > len(data) or offset > len(data) - length:
            raise MalformedError(f"{PREFIX}-malformed", f"entry {index} lies outside of the table")
        name = TABLE_GUIDS.get(str(UUID(bytes=entry[:16])))
        if name is not None and length:
            if name in found:
                raise MalformedError(f"{PREFIX}-malformed", f"two entries for {name}")
            found[name] = data[offset : offset + length]
    raise MalformedError(f"{PREFIX}-malformed", "a certificate table without end")
