# SPDX-License-Identifier: AGPL-3.0-or-later
"""Files that a user names: whatever is wrong with them has a code."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from affidavit.cli import files
from verifier import MalformedError


def archive(member: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr(member, content)
    return stream.getvalue()


def npy(header: str) -> bytes:
    return archive("x.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())


def damaged() -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, x=np.arange(10_000))
    content = bytearray(stream.getvalue())
    content[200] ^= 0xFF
    content[201] ^= 0xFF
    return bytes(content)


def encrypted() -> bytes:
    content = bytearray(archive("x.npy", b"..."))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [
        damaged(),
        encrypted(),
        archive("x.txt", b"no array"),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1" + "0" * 14 + ",), }\n"),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1" + "0" * 30 + ",), }\n"),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (((((\n"),
    ],
    ids=["deflate", "encrypted", "no array", "huge", "huger", "tokens"],
)
@pytest.mark.filterwarnings("ignore")  # numpy has opinions on headers that it then refuses
def test_arrays_that_numpy_cannot_read(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(content)
    with pytest.raises(MalformedError) as caught:
        files.read_arrays(path)
    assert caught.value.code == "input.npz.malformed"


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_times_outside_the_calendar(text: str) -> None:
    with pytest.raises(MalformedError) as caught:
        files.parse_time(text)
    assert caught.value.code == "option.malformed"
