# SPDX-License-Identifier: AGPL-3.0-or-later
"""The firmware's identity (FWID) in an attestation key's certificate.

Sources: TCG, "Implicit Identity Based Device Attestation" 1.0 (`TCG-DICE-FWID`, as Hopper and LS10 write it) and
"DICE Attestation Architecture" 1.00, section 6.1.1 (`DiceTcbInfo`, as Blackwell does).

::

    CompositeDeviceID ::= SEQUENCE { version INTEGER (1), deviceID SubjectPublicKeyInfo, fwid FWID }
    DiceTcbInfo       ::= SEQUENCE { ..., fwids [6] IMPLICIT SEQUENCE OF FWID, ... }
    FWID              ::= SEQUENCE { hashAlg OBJECT IDENTIFIER, digest OCTET STRING }
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509

from attestation.errors import MalformedError
from attestation.wire import Reader

PREFIX = "evidence.nvidia.fwid"

COMPOSITE_DEVICE_ID = x509.ObjectIdentifier("2.23.133.5.4.1")
TCB_INFO = x509.ObjectIdentifier("2.23.133.5.4.1.1")

_SEQUENCE, _INTEGER, _OID, _OCTETS, _FWIDS = 0x30, 0x02, 0x06, 0x04, 0xA6
_SHA384 = bytes.fromhex("608648016503040202")
_DIGEST = 48


@dataclass(frozen=True, slots=True)
class Identity:
    """`fwid`: SHA-384 of the firmware; `device_key`: SubjectPublicKeyInfo of the device that certified it, if named."""

    fwid: bytes
    device_key: bytes | None


def read_identity(certificate: x509.Certificate) -> Identity | None:
    """The identity in a certificate, or None where it has neither extension.

    Raises `MalformedError` with `evidence.nvidia.fwid-*`.
    """
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.UnrecognizedExtension):
            if extension.oid == COMPOSITE_DEVICE_ID:
                return parse_composite(extension.value.value)
            if extension.oid == TCB_INFO:
                return parse_tcb_info(extension.value.value)
    return None


def parse_composite(data: bytes) -> Identity:
    """Parse a `CompositeDeviceID`. Raises as `read_identity` does."""
    content = _only(data, _SEQUENCE)
    body = Reader(content, PREFIX)
    if _element(body, _INTEGER) != b"\x01":
        body.fail("a version other than 1")
    start = body.offset
    _element(body, _SEQUENCE)
    key = content[start : body.offset]
    fwid = _fwid(body)
    body.done()
    return Identity(fwid, key)


def parse_tcb_info(data: bytes) -> Identity:
    """Parse a `DiceTcbInfo`; the first of its FWIDs counts. Raises as `read_identity` does."""
    body = Reader(_only(data, _SEQUENCE), PREFIX)
    fwid: bytes | None = None
    while body.left:
        tag, content = _any(body)
        if tag == _FWIDS and fwid is None:
            entries = Reader(content, PREFIX)
            fwid = _fwid(entries)
            while entries.left:
                _fwid(entries)
    if fwid is None:
        body.fail("no FWID")
    return Identity(fwid, None)


def _fwid(reader: Reader) -> bytes:
    inner = Reader(_element(reader, _SEQUENCE), PREFIX)
    if _element(inner, _OID) != _SHA384:
        inner.fail("a FWID that is not SHA-384")
    digest = _element(inner, _OCTETS)
    inner.done()
    if len(digest) != _DIGEST:
        inner.fail(f"a FWID of {len(digest)} bytes")
    return digest


def _only(data: bytes, tag: int) -> bytes:
    reader = Reader(data, PREFIX)
    content = _element(reader, tag)
    reader.done()
    return content


def _element(reader: Reader, tag: int) -> bytes:
    found, content = _any(reader)
    if found != tag:
        raise MalformedError(f"{PREFIX}-malformed", f"tag 0x{found:02x} where 0x{tag:02x} is due")
    return content


def _any(reader: Reader) -> tuple[int, bytes]:
    tag, length = reader.integer(1, "tag"), reader.integer(1, "length")
    if length >= 0x80:
        octets = length & 0x7F
        if not 1 <= octets <= 2:
            reader.fail("a length of more than two octets")
        length = reader.integer(octets, "length")
        if length < (0x80 if octets == 1 else 0x100):
            reader.fail("a length that is not in its shortest form")
    return tag, reader.take(length, "content")
