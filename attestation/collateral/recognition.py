# SPDX-License-Identifier: AGPL-3.0-or-later
"""What kind of collateral a file is, by its content alone.

============================  ===============================================================
kind                          content
============================  ===============================================================
`x509`                        a certificate, DER
`crl`                         a certificate revocation list, DER
`ocsp`                        an OCSP response, DER
`json`, `xml`                 any document of these; formats look inside
`binary`                      anything else
============================  ===============================================================

PEM, base64 and hex armour is removed first; a PEM file may hold several items. Certificates and CRLs are told apart
by the outer DER structure; whether they can be read is asked where they are used.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable

from cryptography.x509 import ocsp

from attestation.armour import decode_base64, decode_hex
from attestation.collateral.bag import MAX_ITEM, Collateral, Item
from attestation.errors import MalformedError

# Possessive, since no body holds the dash that ends it: nothing is tried twice on armour that never ends.
_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----\s([A-Za-z0-9+/=\s]++)-----END \1-----")
# No tab: one bit makes it of a carriage return.
_BASE64 = re.compile(rb"[A-Za-z0-9+/=_-][A-Za-z0-9+/=_ \r\n-]*\Z")
_HEX = re.compile(rb"(0x)?[0-9A-Fa-f][0-9A-Fa-f \r\n]*\Z")
_SPACE = b" \r\n"
_PEM_KINDS = {b"CERTIFICATE": "x509", b"X509 CRL": "crl", b"TRUSTED CERTIFICATE": "x509", b"OCSP RESPONSE": "ocsp"}


def recognise(data: bytes) -> tuple[Item, ...]:
    """The items in one file; none in an empty one.

    Raises `MalformedError` with `evidence.collateral.too-large`, or `evidence.collateral.armour-malformed` for PEM
    that does not decode.
    """
    if len(data) > MAX_ITEM:
        raise MalformedError("evidence.collateral.too-large", f"a file of {len(data)} bytes; at most {MAX_ITEM}")
    if b"-----BEGIN " in data[:65536] and not data.lstrip().startswith((b"{", b"[", b"<")):
        return _pem(data)
    payload = unarmoured(data)
    return (Item(_kind(payload), payload),) if payload else ()


def sort_collateral(files: Iterable[bytes]) -> Collateral:
    """The bag of everything in these files, duplicates once. Raises as `recognise` and `Collateral` do."""
    return Collateral(tuple(dict.fromkeys(item for data in files for item in recognise(data))))


def unarmoured(data: bytes) -> bytes:
    """`data` without hex or base64 around it (`attestation.armour`); what is neither, as it is."""
    text = data.strip(_SPACE)
    try:
        if _HEX.match(text) and len(digits := b"".join(text.removeprefix(b"0x").split())) % 2 == 0:
            return decode_hex(digits)
        if len(text) >= 16 and _BASE64.match(text):
            return decode_base64(b"".join(text.split()))
    except ValueError:
        pass
    return data


def _pem(data: bytes) -> tuple[Item, ...]:
    items = []
    for label, body in _PEM.findall(data):
        try:
            der = base64.b64decode(b"".join(body.split()), validate=True)
        except binascii.Error:
            raise MalformedError("evidence.collateral.armour-malformed", "PEM that does not decode") from None
        items.append(Item(_PEM_KINDS.get(label, "binary"), der))
    if not items or data.count(b"-----BEGIN ") != len(items):
        raise MalformedError("evidence.collateral.armour-malformed", "PEM with an item that is not complete")
    return tuple(items)


def _kind(data: bytes) -> str:
    head = data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if head in (b"{", b"["):
        return "json"
    if head == b"<":
        return "xml"
    if data[:1] == b"\x30":
        return _der_kind(data)
    return "binary"


def _der_kind(data: bytes) -> str:
    """Certificate and CRL are SEQUENCE { SEQUENCE tbs, ... }; an OCSP response starts with an ENUMERATED."""
    body = _content(data)
    if body[:1] == b"\x0a":
        try:
            ocsp.load_der_ocsp_response(data)
        except ValueError:
            return "binary"
        return "ocsp"
    if body[:1] != b"\x30":
        return "binary"
    tbs = _content(body)
    # A certificate's tbs starts with [0] version or the serial number followed by a SEQUENCE; a CRL's with an
    # optional version 1 and the signature algorithm, never with [0], and its serial position holds v2 alone.
    if tbs[:1] == b"\xa0":
        return "x509"
    if tbs[:1] == b"\x30" or tbs[:3] == b"\x02\x01\x01":
        return "crl"
    return "x509" if tbs[:1] == b"\x02" else "binary"


def _content(data: bytes) -> bytes:
    """What stands behind the tag and length of the first DER element."""
    if len(data) < 2:
        return b""
    return data[2:] if data[1] < 0x80 else data[2 + (data[1] & 0x7F) :]
