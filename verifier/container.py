# SPDX-License-Identifier: AGPL-3.0-or-later
"""The affidavit's outer file: a zip archive with exactly one encoding (``affidavit@v1``, section 1).

Any unzip tool opens it, yet a given set of members has a single valid byte string: members stored without
compression, sorted by name, fixed time stamp, no extra fields, no comments, nothing before, between or behind
them. The reader rebuilds every header from what it read and compares (PKWARE APPNOTE 6.3.10, sections 4.3.7,
4.3.12 and 4.3.16), so ambiguity between local and central headers, bombs, prefixes and trailers cannot occur.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Mapping

from verifier.errors import MalformedError

MAX_FILE_BYTES = 256 << 20
MAX_MEMBERS = 4096
MAX_NAME_BYTES = 128

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_VERSION_NEEDED = 10
_DOS_TIME, _DOS_DATE = 0, 0x21  # 1980-01-01 00:00:00, the earliest that the format can say
_NAME = re.compile(r"(manifest\.json|envelopes/[a-z0-9][a-z0-9-]{0,79}\.dsse\.json|blobs/sha256/[0-9a-f]{64})\Z")


def _malformed(code: str, message: str) -> MalformedError:
    return MalformedError(f"affidavit.container.{code}", message)


def check_name(name: str) -> None:
    """Refuse a member name outside the grammar: only the three kinds of path that the format has."""
    if not _NAME.match(name):
        raise _malformed(
            "bad-name", f"member name {name[:80]!r} is not one of manifest.json, envelopes/, blobs/sha256/"
        )


def _local(name: bytes, data_crc: int, size: int) -> bytes:
    return (
        _LOCAL.pack(b"PK\x03\x04", _VERSION_NEEDED, 0, 0, _DOS_TIME, _DOS_DATE, data_crc, size, size, len(name), 0)
        + name
    )


def _central(name: bytes, data_crc: int, size: int, offset: int) -> bytes:
    fixed = _CENTRAL.pack(
        b"PK\x01\x02",
        _VERSION_NEEDED,
        _VERSION_NEEDED,
        0,
        0,
        _DOS_TIME,
        _DOS_DATE,
        data_crc,
        size,
        size,
        len(name),
        0,
        0,
        0,
        0,
        0,
        offset,
    )
    return fixed + name


def _end(count: int, directory_size: int, directory_offset: int) -> bytes:
    return _END.pack(b"PK\x05\x06", 0, 0, count, count, directory_size, directory_offset, 0)


def write_container(members: Mapping[str, bytes]) -> bytes:
    """Encode ``members``; the only bytes that :func:`read_container` accepts for them.

    Raises:
        MalformedError: a name outside the grammar or a limit exceeded.
    """
    if len(members) > MAX_MEMBERS:
        raise _malformed("too-many-members", f"{len(members)} members, at most {MAX_MEMBERS}")
    body, directory = bytearray(), bytearray()
    for name in sorted(members):
        check_name(name)
        data, raw = members[name], name.encode("ascii")
        crc = zlib.crc32(data)
        directory += _central(raw, crc, len(data), len(body))
        body += _local(raw, crc, len(data)) + data
        if len(body) > MAX_FILE_BYTES:
            raise _malformed("too-large", f"more than {MAX_FILE_BYTES} bytes")
    end = _end(len(members), len(directory), len(body))
    total = len(body) + len(directory) + len(end)
    if total > MAX_FILE_BYTES:
        raise _malformed("too-large", f"{total} bytes, at most {MAX_FILE_BYTES}")
    return bytes(body + directory + end)


def read_container(data: bytes) -> dict[str, bytes]:
    """Decode an affidavit's outer file into ``{name: bytes}``; time and memory linear in ``len(data)``.

    Raises:
        MalformedError: ``affidavit.container.*`` for whatever is not the one encoding of its members.
    """
    if len(data) > MAX_FILE_BYTES:
        raise _malformed("too-large", f"{len(data)} bytes, at most {MAX_FILE_BYTES}")
    if data[:4] != b"PK\x03\x04":
        raise _malformed("not-a-container", "the file does not start like an affidavit (zip local header)")
    members: dict[str, bytes] = {}
    directory = bytearray()
    offset, previous = 0, ""
    while data[offset : offset + 4] == b"PK\x03\x04":
        if len(members) >= MAX_MEMBERS:
            raise _malformed("too-many-members", f"more than {MAX_MEMBERS} members")
        if offset + _LOCAL.size > len(data):
            raise _malformed("truncated", f"the file ends inside a header at byte {offset}")
        fields = _LOCAL.unpack_from(data, offset)
        crc, size, name_length = fields[6], fields[8], fields[9]
        start = offset + _LOCAL.size + name_length
        if name_length > MAX_NAME_BYTES:
            raise _malformed("bad-name", f"a member name of {name_length} bytes, at most {MAX_NAME_BYTES}")
        raw = data[offset + _LOCAL.size : start]
        if start > len(data):
            raise _malformed("truncated", f"the file ends inside a header at byte {offset}")
        name = raw.decode("ascii", "replace")
        check_name(name)
        if name == previous:
            raise _malformed("duplicate-name", f"member {name} stands twice")
        if name < previous:
            raise _malformed("unsorted", f"member {name} stands behind {previous}")
        if data[offset:start] != _local(raw, crc, size):
            raise _malformed("non-canonical", f"the header of member {name} is not the canonical one")
        if start + size > len(data):
            raise _malformed("truncated", f"the file ends inside member {name}")
        content = data[start : start + size]
        if zlib.crc32(content) != crc:
            raise _malformed("checksum", f"the CRC-32 of member {name} is wrong")
        members[name] = content
        directory += _central(raw, crc, size, offset)
        offset, previous = start + size, name
    tail = bytes(directory) + _end(len(members), len(directory), offset)
    if len(data) - offset < len(tail) and tail.startswith(data[offset:]):
        raise _malformed("truncated", "the file ends inside the directory")
    if data[offset:] != tail:
        raise _malformed("non-canonical", "the directory at the end is not the one its members imply")
    return members
