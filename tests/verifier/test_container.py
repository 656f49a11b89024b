# SPDX-License-Identifier: AGPL-3.0-or-later
"""The outer file has one encoding per set of members, and every other byte string is refused."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifier import MalformedError
from verifier.container import MAX_MEMBERS, read_container, write_container

NAMES = st.one_of(
    st.just("manifest.json"),
    st.from_regex(r"envelopes/[a-z0-9][a-z0-9-]{0,79}\.dsse\.json", fullmatch=True),
    st.from_regex(r"blobs/sha256/[0-9a-f]{64}", fullmatch=True),
)
MEMBERS = st.dictionaries(NAMES, st.binary(max_size=64), min_size=1, max_size=6)
EXAMPLE = {"manifest.json": b"{}", "blobs/sha256/" + "0" * 64: b"blob", "envelopes/receipt.dsse.json": b""}


@given(MEMBERS)
def test_what_is_written_is_read(members):
    assert read_container(write_container(members)) == members


@given(MEMBERS)
def test_ordinary_zip_tools_open_it(members):
    with zipfile.ZipFile(io.BytesIO(write_container(members))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == members
        assert archive.namelist() == sorted(members)


def test_every_single_bit_flip_gives_other_members_or_is_refused():
    data = write_container(EXAMPLE)
    for bit in range(8 * len(data)):
        mutant = bytearray(data)
        mutant[bit // 8] ^= 1 << (bit % 8)
        with pytest.raises(MalformedError):  # a flip inside content breaks the CRC, elsewhere the form
            read_container(bytes(mutant))


@given(st.binary(max_size=400))
def test_hostile_bytes_give_typed_errors_only(data):
    with pytest.raises(MalformedError):
        read_container(data)


@given(st.binary(max_size=40), st.integers(0, 400), st.integers(0, 40))
def test_splices_give_typed_errors_only(patch, offset, cut):
    data = write_container(EXAMPLE)
    mutant = data[:offset] + patch + data[offset + cut :]
    if mutant != data:
        with pytest.raises(MalformedError):
            read_container(mutant)


@pytest.mark.parametrize("cut", range(1, 120, 7))
def test_truncated(cut):
    with pytest.raises(MalformedError) as error:
        read_container(write_container(EXAMPLE)[:-cut])
    assert error.value.code in ("affidavit.container.truncated", "affidavit.container.non-canonical")


def _zip(names: list[str], *, compression: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), b"x" * 200_000 if compression else b"x", compress_type=compression)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "not-a-container"),
        (b"PK\x05\x06" + bytes(18), "not-a-container"),
        (b"MZ" + write_container(EXAMPLE), "not-a-container"),
        (write_container(EXAMPLE) + b"x", "non-canonical"),
        (_zip(["/etc/passwd"]), "bad-name"),
        (_zip(["../manifest.json"]), "bad-name"),
        (_zip(["envelopes/../manifest.json"]), "bad-name"),
        (_zip(["blobs\\sha256\\" + "0" * 64]), "bad-name"),
        (_zip(["manifest.json\x00.txt"]), "non-canonical"),
        (_zip(["manifest.json"], compression=zipfile.ZIP_DEFLATED), "non-canonical"),
        (_zip(["a" * 200]), "bad-name"),
    ],
)
def test_zip_tricks(data, code):
    with pytest.raises(MalformedError) as error:
        read_container(data)
    assert error.value.code == f"affidavit.container.{code}"


def test_duplicate_and_unsorted_names():
    one = write_container({"manifest.json": b"{}"})
    body = one[: one.index(b"PK\x01\x02")]
    with pytest.raises(MalformedError) as error:
        read_container(body + one)
    assert error.value.code == "affidavit.container.duplicate-name"
    other = write_container({"envelopes/a.dsse.json": b""})
    with pytest.raises(MalformedError) as error:
        read_container(body + other)
    assert error.value.code == "affidavit.container.unsorted"


def test_limits():
    with pytest.raises(MalformedError) as error:
        write_container({f"envelopes/{i}.dsse.json": b"" for i in range(MAX_MEMBERS + 1)})
    assert error.value.code == "affidavit.container.too-many-members"
