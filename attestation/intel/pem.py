# SPDX-License-Identifier: AGPL-3.0-or-later
"""The PCK certificate chain as quotes carry it: PEM, whose every byte is checked by writing it again.

No signature covers the armour, so there is one form: RFC 7468 with lines of 64 characters and line feeds. Quoting
services end it with or without the last line feed, and with or without one NUL; all four are read. Some caching
services write lines of 76 (RFC 2045): `rewrapped` makes the one form of these.
"""

from __future__ import annotations

import base64
import binascii
from functools import lru_cache

from attestation.errors import MalformedError
from attestation.pki.certificate import MAX_CERTIFICATE

MAX_CERTIFICATES = 3
"""PCK certificate, its CA, the root."""

LINE, MIME_LINE = 64, 76

_BEGIN, _END = b"-----BEGIN CERTIFICATE-----\n", b"-----END CERTIFICATE-----\n"


@lru_cache(maxsize=128)
def parse_chain(data: bytes, prefix: str) -> tuple[bytes, ...]:
    """The certificates as DER, leaf first; 2 or 3. Raises `MalformedError` (`<prefix>.pck-chain-malformed`)."""
    code = f"{prefix}.pck-chain-malformed"
    text = data.removesuffix(b"\0")
    if not text.endswith(b"\n"):
        text += b"\n"
    blocks = text.split(_END)
    if not 3 <= len(blocks) <= MAX_CERTIFICATES + 1 or blocks[-1]:
        raise MalformedError(code, f"PEM with {len(blocks) - 1} certificates; 2 or {MAX_CERTIFICATES}, nothing else")
    found = []
    for block in blocks[:-1]:
        try:
            der = base64.b64decode(b"".join(block.removeprefix(_BEGIN).split(b"\n")), validate=True)
        except binascii.Error:
            raise MalformedError(code, "a certificate whose PEM does not decode") from None
        if len(der) > MAX_CERTIFICATE or encode_certificate(der) != block + _END:
            raise MalformedError(code, "a certificate whose PEM is not in canonical form")
        found.append(der)
    return tuple(found)


def rewrapped(data: bytes) -> bytes:
    """A chain with all certificates in lines of 64, where each was in lines of 64 or of 76; any other, as it is."""
    blocks = data.split(_END)
    if not 3 <= len(blocks) <= MAX_CERTIFICATES + 1 or blocks[-1] not in (b"", b"\0"):
        return data
    written = []
    for block in blocks[:-1]:
        try:
            der = base64.b64decode(block.removeprefix(_BEGIN).replace(b"\n", b""), validate=True)
        except binascii.Error:
            return data
        if block + _END not in (encode_certificate(der), encode_certificate(der, MIME_LINE)):
            return data
        written.append(encode_certificate(der))
    return b"".join(written) + blocks[-1]


def encode_certificate(der: bytes, line: int = LINE) -> bytes:
    """PEM of one certificate, in lines of so many characters."""
    text = base64.b64encode(der)
    lines = [text[start : start + line] + b"\n" for start in range(0, len(text), line)]
    return _BEGIN + b"".join(lines) + _END
