# SPDX-License-Identifier: AGPL-3.0-or-later
"""Folders and packs: one encoding, an honest date, nothing that was not put in."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from affidavit.collateral.folder import INDEX, fetched_at, write_folder
from affidavit.collateral.lifetime import expires
from affidavit.collateral.pack import BLOBS, MANIFEST, make_pack, read_pack
from affidavit.collateral.source import Piece
from attestation.collateral.bag import MAX_ITEMS
from attestation.errors import MalformedError as MalformedCollateral
from tests.attestation.intel import making
from tests.attestation.nvidia import paper as nvidia
from tests.attestation.snp import paper as amd
from tests.collateral.vendors import AT
from verifier import strict_json
from verifier.container import read_container, write_container
from verifier.errors import MalformedError, UnsupportedError

DAY = timedelta(days=1)
CRL = amd.crl(end=AT + 5 * DAY)
FILES = (amd.der(amd.vek()), CRL, b"<xml/>", making.Paper().files()["tcb_info"])


def malformed(data: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        read_pack(data)
    assert caught.value.code == "collateral.pack.malformed"


def test_same_pieces_same_bytes():
    data, pack = make_pack(FILES, AT)
    again, _ = make_pack([*reversed(FILES), CRL], AT.astimezone(timezone(timedelta(hours=2))))
    assert data == again
    assert (pack.as_of, pack.expires, len(pack.files)) == (AT, AT + 5 * DAY, 4)
    assert read_pack(data) == pack and len(pack.collateral.items) == 4


def test_any_unzip_opens_it():
    data, pack = make_pack(FILES, AT)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        manifest = json.loads(archive.read(MANIFEST))
        assert {name.removeprefix(BLOBS) for name in archive.namelist()} - {MANIFEST} == set(pack.files)
    assert manifest["as_of"] == "2026-06-01T12:00:00Z" and manifest["expires"] == "2026-06-06T12:00:00Z"
    assert manifest["items"][hashlib.sha256(CRL).hexdigest()] == {"size": len(CRL), "expires": "2026-06-06T12:00:00Z"}


def test_every_bit_counts():
    data, _ = make_pack([CRL], AT)
    for position in range(len(data)):
        for bit in (1, 128):
            changed = data[:position] + bytes([data[position] ^ bit]) + data[position + 1 :]
            try:
                assert read_pack(changed).as_of != AT, position
            except MalformedError:
                continue


def remade(**changes) -> bytes:
    data, _ = make_pack([CRL, b"<xml/>"], AT)
    members = read_container(data)
    manifest = {**json.loads(members[MANIFEST]), **changes}
    return write_container({**members, MANIFEST: strict_json.dumps(manifest)})


@pytest.mark.parametrize(
    "changes",
    [
        {"as_of": None},
        {"as_of": "2026-06-01"},
        {"as_of": "2026-06-31T12:00:00Z"},
        {"as_of": "2026-06-01T12:00:00+00:00"},
        {"expires": None},
        {"expires": "2030-01-01T00:00:00Z"},
        {"format": "collateral-pack@v2"},
        {"items": {}},
        {"more": 1},
    ],
)
def test_manifests_that_say_otherwise(changes):
    assert read_pack(remade()).as_of == AT
    malformed(remade(**changes))


def test_other_files():
    data, _ = make_pack([CRL], AT)
    members = read_container(data)
    blob = BLOBS + hashlib.sha256(CRL).hexdigest()
    other = BLOBS + hashlib.sha256(b"x").hexdigest()
    for changed in (
        {**members, blob: CRL + b"x"},
        {**members, other: b"x"},
        {name: content for name, content in members.items() if name != MANIFEST},
        {MANIFEST: members[MANIFEST]},
        {**members, MANIFEST: b"{"},
        {**members, MANIFEST: b"[]"},
        {**members, BLOBS + hashlib.sha256(b"").hexdigest(): b""},
        {**members, "envelopes/node.dsse.json": b"{}"},
        {MANIFEST: b"{}", **{BLOBS + hashlib.sha256(b"%d" % n).hexdigest(): b"%d" % n for n in range(MAX_ITEMS + 1)}},
    ):
        malformed(write_container(changed))
    for other_file in (b"", data[:-1], data + b"\0", b"PK\x03\x04"):
        malformed(other_file)


@pytest.mark.fuzz
@given(st.binary(max_size=300))
def test_hostile_bytes(data):
    malformed(data)
    malformed(b"PK\x03\x04" + data)


def test_nothing_and_too_much():
    with pytest.raises(UnsupportedError) as caught:
        make_pack([b""], AT)
    assert caught.value.code == "collateral.pack.empty"
    with pytest.raises(MalformedCollateral):
        make_pack((b"<x>%d</x>" % number for number in range(MAX_ITEMS + 1)), AT)


# Lifetimes.


def test_lifetimes():
    assert expires(CRL) == AT + 5 * DAY
    assert expires(amd.der(amd.vek())) == amd.END
    assert expires(nvidia.responses()[0]) == nvidia.AT + DAY
    assert expires(making.Paper().files()["tcb_info"]) == making.END.replace(microsecond=0)
    assert expires(making.Paper().files()["qe_identity"]) == making.END.replace(microsecond=0)
    assert expires(nvidia.rims()[0]) is None and expires(b"text") is None and expires(b"") is None
    assert expires(b'{"tcbInfo": {"nextUpdate": "soon"}}') is None and expires(b'{"tcbInfo": 1}') is None
    assert expires(b"{") is None and expires(b"[1]") is None and expires(b"\x30\x03\x30\x01\x30") is None


# Folders.


def piece(label: str, data: bytes, when: datetime = AT) -> Piece:
    return Piece(label, "der", data, "http://kds/x", when, expires(data))


def test_a_folder_grows(tmp_path):
    folder = tmp_path / "a" / "b"
    [first] = write_folder(folder, [piece("crl", CRL)]).values()
    assert (folder / first["name"]).read_bytes() == CRL and first["expires"] == "2026-06-06T12:00:00+00:00"
    write_folder(folder, [piece("vcek", amd.der(amd.vek()), AT + DAY)])
    found = fetched_at(folder)
    assert found[hashlib.sha256(CRL).hexdigest()] == AT and len(found) == 2 and max(found.values()) == AT + DAY


@pytest.mark.parametrize(
    "index",
    [
        b"", b"{", b"[]", b'{"format": "x", "items": {}}', b'{"format": "collateral-folder@v1", "items": []}',
        b'{"format": "collateral-folder@v1", "items": {"ab": {}, "cd": {"fetched_at": "2026-01-01"}, "ef": 1}}',
        b'{"format": "collateral-folder@v1", "items": {"ab": {"fetched_at": "0001-01-01T00:00:00+14:00"}}}',
    ],
)  # fmt: skip
def test_an_index_that_is_none(tmp_path, index):
    (tmp_path / INDEX).write_bytes(index)
    assert fetched_at(tmp_path) == {}
    write_folder(tmp_path, [piece("crl", CRL, datetime(2026, 1, 1, tzinfo=UTC))])
    assert len(fetched_at(tmp_path)) == 1


@pytest.mark.parametrize(
    ("label", "suffix"), [("../up", "der"), ("/up", "der"), ("", "der"), ("a/b", "der"), ("a", "../b")]
)
def test_names_of_files_are_words(label, suffix):
    """They are ours; a service that could choose one would choose where on the disk it writes."""
    with pytest.raises(ValueError, match="no name for a file"):
        Piece(label, suffix, b"", "", AT, None)
