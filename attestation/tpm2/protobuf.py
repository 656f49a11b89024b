# SPDX-License-Identifier: AGPL-3.0-or-later
"""Protocol Buffers as far as TPM evidence needs them: the wire format and the text format, without schema.

Source: protobuf.dev, "Encoding" and "Text Format Language Specification". Varints and length-delimited fields; in
text, messages, numbers, names and strings. Both return (field, value) pairs in order; a field is a number on the wire
and a name in text. Anything else, and any excess, raises `ValueError`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

MAX_FIELDS = 4096
MAX_NESTING = 8
MAX_VARINT = 10
MAX_TEXT = 4 << 20
"""Characters of a message in text form: an event log of the largest size, with an escape for most of its bytes."""

TextValue = bytes | int | str | list[tuple[str, "TextValue"]]

_TOKEN = re.compile(
    r"""[\s,;]+ | \#[^\n]* | (?P<name>[A-Za-z_][A-Za-z0-9_]*) | (?P<number>[0-9]+)
      | (?P<string>"(?:[^"\\\n]++|\\.)*+"|'(?:[^'\\\n]++|\\.)*+') | (?P<mark>[{}<>:\[\]])""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(?:([0-7]{1,3})|[xX]([0-9A-Fa-f]{1,2})|(.))", re.DOTALL)
_LETTERS = {"n": 10, "r": 13, "t": 9, "a": 7, "b": 8, "f": 12, "v": 11, '"': 34, "'": 39, "\\": 92, "?": 63}


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field of a message on the wire. Raises `ValueError`."""
    offset = count = 0
    while offset < len(data):
        count += 1
        if count > MAX_FIELDS:
            raise ValueError(f"more than {MAX_FIELDS} fields")
        tag, offset = _varint(data, offset)
        value, offset = _varint(data, offset)
        if not tag >> 3 or tag & 7 not in (0, 2):
            raise ValueError(f"field {tag >> 3} of wire type {tag & 7}")
        if tag & 7 == 0:
            yield tag >> 3, value
            continue
        if value > len(data) - offset:
            raise ValueError(f"field {tag >> 3} needs {value} bytes, {len(data) - offset} are left")
        yield tag >> 3, data[offset : offset + value]
        offset += value


def _varint(data: bytes, offset: int) -> tuple[int, int]:
    value = 0
    for index, octet in enumerate(data[offset : offset + MAX_VARINT]):
        value |= (octet & 0x7F) << 7 * index
        if octet < 0x80:
            return value, offset + index + 1
    raise ValueError("a number without end")


def text_fields(text: str) -> list[tuple[str, TextValue]]:
    """Name and value of each field of a message in text form. Raises `ValueError`.

    Strings are bytes; enumeration values and booleans are names.
    """
    if len(text) > MAX_TEXT:
        raise ValueError(f"text of {len(text)} characters; at most {MAX_TEXT}")
    return _message(_tokens(text), "", 0)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    offset = count = 0
    while offset < len(text):
        match = _TOKEN.match(text, offset)
        if match is None:
            raise ValueError(f"unexpected text at character {offset}")
        offset = match.end()
        if match.lastgroup is not None:
            count += 1
            if count > 8 * MAX_FIELDS:
                raise ValueError("too many tokens")
            yield match.lastgroup, match.group()
    yield "end", ""


def _message(tokens: Iterator[tuple[str, str]], close: str, depth: int) -> list[tuple[str, TextValue]]:
    if depth > MAX_NESTING:
        raise ValueError(f"nested deeper than {MAX_NESTING}")
    found: list[tuple[str, TextValue]] = []
    kind, word = next(tokens)
    while (kind, word) != (("mark", close) if close else ("end", "")):
        if kind != "name":
            raise ValueError(f"a field's name expected, not {word[:20]!r}")
        name = word
        kind, word = next(tokens)
        if word == ":":
            kind, word = next(tokens)
            if kind == "mark" and word not in "{<":
                raise ValueError(f"a value expected, not {word!r}")
        elif word not in ("{", "<"):
            raise ValueError(f"':' or '{{' expected, not {word[:20]!r}")
        if kind == "mark":
            found.append((name, _message(tokens, "}" if word == "{" else ">", depth + 1)))
            kind, word = next(tokens)
        elif kind == "string":
            value = b""
            while kind == "string":  # neighbours are one string
                value += _unescaped(word[1:-1])
                kind, word = next(tokens)
            found.append((name, value))
        elif kind in ("number", "name"):
            if len(word) > 20:
                raise ValueError("a number or name that is too long")
            found.append((name, int(word) if kind == "number" else word))
            kind, word = next(tokens)
        else:
            raise ValueError("a value is missing")
    return found


def _unescaped(text: str) -> bytes:
    found, offset = bytearray(), 0
    for match in _ESCAPE.finditer(text):
        found += text[offset : match.start()].encode("utf-8")
        octal, hexadecimal, letter = match.groups()
        value = int(octal, 8) if octal else int(hexadecimal, 16) if hexadecimal else _LETTERS.get(letter, 256)
        if value > 255:
            raise ValueError(f"unknown escape {match.group()[:8]!r}")
        found.append(value)
        offset = match.end()
    return bytes(found + text[offset:].encode("utf-8"))
