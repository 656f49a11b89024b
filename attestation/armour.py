# SPDX-License-Identifier: AGPL-3.0-or-later
"""Hex, base64 and PEM of evidence, read strictly: no change of one bit makes another text for the same bytes.

Nothing signs armour. So hex has one case, base64 one alphabet and no bits behind its end, and PEM lines of one length:
whoever changes a character changes the bytes, or is refused. Encoders write nothing else.
"""

from __future__ import annotations

import base64
import re

_LOWER, _UPPER = re.compile(rb"[0-9a-f]*\Z"), re.compile(rb"[0-9A-F]*\Z")
_STANDARD, _URL = re.compile(rb"[A-Za-z0-9+/]*={0,2}\Z"), re.compile(rb"[A-Za-z0-9_-]*={0,2}\Z")
_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----(\r?\n)([A-Za-z0-9+/=\r\n]++)-----END \1-----")
_NEWLINES = re.compile(rb"[\r\n]*")
_QUANTUM = 4


def decode_hex(text: str | bytes) -> bytes:
    """Bytes of an even number of digits, all of one case. Raises `ValueError`."""
    digits = _octets(text)
    if len(digits) % 2 or not (_LOWER.match(digits) or _UPPER.match(digits)):
        raise ValueError("not hex in one case")
    return bytes.fromhex(digits.decode("ascii"))


def decode_base64(text: str | bytes) -> bytes:
    """Bytes of base64 in one alphabet, padded or not at all, without bits behind the end. Raises `ValueError`."""
    characters = _octets(text)
    url = bool(_URL.match(characters))
    if not url and not _STANDARD.match(characters):
        raise ValueError("not base64 in one alphabet")
    body = characters.rstrip(b"=")
    padding = b"=" * (-len(body) % _QUANTUM)
    if characters not in (body, body + padding):
        raise ValueError("base64 with other padding than its own")
    plain = body.translate(bytes.maketrans(b"-_", b"+/")) + padding
    data = base64.b64decode(plain, validate=True)
    if base64.b64encode(data) != plain:
        raise ValueError("base64 with bits behind its end")
    return data


def decode_pem(data: bytes) -> list[tuple[bytes, bytes]]:
    """Label and bytes of each item in a text of nothing else, with lines of one length. Raises `ValueError`."""
    found: list[tuple[bytes, bytes]] = []
    end = _end_of_newlines(data, 0)
    while end < len(data):
        match = _PEM.match(data, end)
        if match is None:
            raise ValueError("something that is no PEM")
        label, newline, body = match.groups()
        lines = body.removesuffix(newline).split(newline)
        if body == body.removesuffix(newline) or any(len(line) != len(lines[0]) for line in lines[:-1]):
            raise ValueError("PEM in lines of several lengths")
        if not 0 < len(lines[-1]) <= len(lines[0]) or b"\n" in b"".join(lines) or b"\r" in b"".join(lines):
            raise ValueError("PEM in lines of several lengths")
        found.append((label, decode_base64(b"".join(lines))))
        end = _end_of_newlines(data, match.end())
    if not found:
        raise ValueError("PEM without an item")
    return found


def _end_of_newlines(data: bytes, start: int) -> int:
    match = _NEWLINES.match(data, start)
    return match.end() if match else start


def _octets(text: str | bytes) -> bytes:
    return text.encode("ascii") if isinstance(text, str) else text
