# SPDX-License-Identifier: AGPL-3.0-or-later
"""`ascii_runtime_measurements` and `binary_runtime_measurements` -> `ImaList`, total on hostile bytes.

Source: Linux, security/integrity/ima/ima_fs.c (`ima_measurements_show`, `ima_ascii_measurements_show`). Binary numbers
are little-endian, as on every machine that this project attests. The template hash in the list is SHA-1; lists that
newer kernels write per bank (`..._sha256`) are not read: the same list in SHA-1 says no less.
"""

from __future__ import annotations

import re

from attestation.errors import MalformedError, UnsupportedError
from attestation.ima.entries import HASH_SIZES, SHA1_SIZE, TEMPLATES, Entry, ImaList
from attestation.wire import Reader

PREFIX = "evidence.ima.list"

MAX_LIST = 8 << 20
"""Bytes: some 50 000 entries."""
MAX_ENTRIES = 65536
MAX_REGISTER = 31
MAX_NAME = 4096
MAX_FIELD = 1 << 18
MAX_TEMPLATE = 16

_LINE = re.compile(rb"( [0-9]|[1-3][0-9]) ([0-9a-f]{40}) ([a-z0-9-]{1,16}) (.*)\Z", re.DOTALL)
_DIGEST = re.compile(rb"(?:(ima|verity):)?([a-z0-9]{1,16}):([0-9a-f]*)\Z")


def parse_ima_list(data: bytes) -> ImaList:
    """Parse either form; which one is told by the first bytes.

    Raises `MalformedError` (`evidence.ima.list-truncated`, `-malformed`, `-too-large`) and `UnsupportedError`
    (`evidence.ima.template-unsupported`). An entry whose template hash is wrong is no error: `ImaList.inconsistent`.
    """
    if len(data) > MAX_LIST:
        raise MalformedError(f"{PREFIX}-too-large", f"IMA list of {len(data)} bytes; at most {MAX_LIST}")
    if not data:
        raise MalformedError(f"{PREFIX}-malformed", "an empty IMA list")
    ascii_form = data[:1] in b"0123456789 " and data[2:3] == b" "
    entries = _ascii(data) if ascii_form else _binary(data)
    wrong = (i for i, e in enumerate(entries) if not e.violation and e.extends("sha1") != e.listed)
    return ImaList(tuple(entries), "ascii" if ascii_form else "binary", next(wrong, None))


def _ascii(data: bytes) -> list[Entry]:
    lines = data.removesuffix(b"\n").split(b"\n")
    if len(lines) > MAX_ENTRIES:
        raise MalformedError(f"{PREFIX}-too-large", f"more than {MAX_ENTRIES} entries")
    return [_line(line, number) for number, line in enumerate(lines, 1)]


def _line(line: bytes, number: int) -> Entry:
    match = _LINE.match(line)
    if match is None:
        raise _malformed(f"line {number} is no measurement")
    register, listed, rest = int(match[1]), bytes.fromhex(match[2].decode("ascii")), match[4]
    template = _template(match[3])
    if register > MAX_REGISTER:
        raise _malformed(f"line {number}: register {register}; at most {MAX_REGISTER}")
    digest, space, name = rest.partition(b" ")
    if not space:
        raise _malformed(f"line {number}: no name")
    extra: tuple[bytes, ...] = ()
    if TEMPLATES[template] == 3:
        # The last field is hex or empty; a name may have spaces, so the last space is the one that parts them.
        name, space, text = name.rpartition(b" ")
        if not space:
            name, text = text, b""
        if len(text) % 2 or not re.fullmatch(rb"[0-9a-f]*", text) or len(text) > 2 * MAX_FIELD:
            raise _malformed(f"line {number}: the last field is not hex")
        extra = (bytes.fromhex(text.decode("ascii")),)
    return Entry(register, listed, template, (_digest(digest, template, number), _name(name, template, number), *extra))


def _digest(text: bytes, template: str, number: int) -> bytes:
    if template == "ima":
        if not re.fullmatch(rb"[0-9a-f]{40}", text):
            raise _malformed(f"line {number}: a digest of 20 bytes in hex expected")
        return bytes.fromhex(text.decode("ascii"))
    match = _DIGEST.match(text)
    if match is None or (match[1] is not None) != template.endswith("v2"):
        raise _malformed(f"line {number}: a digest with its algorithm expected")
    kind, algorithm = match[1], match[2]
    value = b"" if len(match[3]) % 2 else bytes.fromhex(match[3].decode("ascii"))
    _check_size(algorithm, value, f"line {number}")
    return (kind + b":" if kind else b"") + algorithm + b":\0" + value


def _name(text: bytes, template: str, number: int) -> bytes:
    if not text or len(text) > MAX_NAME or b"\0" in text or (template == "ima" and len(text) > 255):
        raise _malformed(f"line {number}: a name of {len(text)} bytes, or with NUL")
    return text if template == "ima" else text + b"\0"


def _binary(data: bytes) -> list[Entry]:
    reader = Reader(data, PREFIX, "little")
    entries: list[Entry] = []
    while reader.left:
        if len(entries) == MAX_ENTRIES:
            raise MalformedError(f"{PREFIX}-too-large", f"more than {MAX_ENTRIES} entries")
        entries.append(_record(reader))
    return entries


def _record(reader: Reader) -> Entry:
    register = reader.integer(4, "register")
    if register > MAX_REGISTER:
        reader.fail(f"register {register}; at most {MAX_REGISTER}")
    listed = reader.take(SHA1_SIZE, "template hash")
    length = reader.integer(4, "length of the template's name")
    if not 1 <= length <= MAX_TEMPLATE:
        reader.fail(f"a template's name of {length} bytes")
    template = _template(reader.take(length, "template's name"))
    if template == "ima":
        digest = reader.take(SHA1_SIZE, "digest")
        name = reader.take(_bounded(reader, 255, "name"), "name")
        if not name or b"\0" in name:
            reader.fail("an empty name, or with NUL")
        return Entry(register, listed, template, (digest, name))
    size = reader.integer(4, "size of the template data")
    start = reader.offset
    limits = (128, MAX_NAME + 1, MAX_FIELD)
    fields = tuple(
        reader.take(_bounded(reader, limits[index], "field"), "field") for index in range(TEMPLATES[template])
    )
    if reader.offset - start != size:
        reader.fail(f"fields of {reader.offset - start} bytes in template data of {size}")
    if len(fields[1]) < 2 or fields[1].find(b"\0") != len(fields[1]) - 1:
        reader.fail("a name that does not end with its only NUL, or is empty")
    head, separator, value = fields[0].partition(b":\0")
    match = _DIGEST.match(head + b":")
    if not separator or match is None or (match[1] is not None) != template.endswith("v2"):
        reader.fail("a digest without its algorithm")
    _check_size(match[2], value, "an entry")
    return Entry(register, listed, template, fields)


def _bounded(reader: Reader, limit: int, what: str) -> int:
    length = reader.integer(4, f"length of {what}")
    if length > limit:
        reader.fail(f"{what} of {length} bytes; at most {limit}")
    return length


def _template(name: bytes) -> str:
    text = name.decode("ascii", "replace")
    if text not in TEMPLATES:
        raise UnsupportedError(
            "evidence.ima.template-unsupported", f"IMA template {text[:16]!r}; known: {', '.join(TEMPLATES)}"
        )
    return text


def _check_size(algorithm: bytes, value: bytes, where: str) -> None:
    if HASH_SIZES.get(algorithm.decode("ascii", "replace")) != len(value):
        raise _malformed(f"{where}: a digest of {len(value)} bytes is none of {algorithm.decode('ascii', 'replace')}")


def _malformed(message: str) -> MalformedError:
    return MalformedError(f"{PREFIX}-malformed", f"IMA list: {message}")
