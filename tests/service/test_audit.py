# SPDX-License-Identifier: AGPL-3.0-or-later
"""The log shows every change, removal and addition, in itself and in the tables it speaks of."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from circuits import dump_circuit
from tests.service.conftest import Service
from tests.verifier.making import Making
from verifier.errors import OperationalError, RejectedError
from verifier.service import Database, Link, check_links, verify_chain
from verifier.service.chain import GENESIS, link_digest


def filled(service: Service, affidavit: bytes) -> Database:
    service.put_model(dump_circuit(Making().circuit))
    for content in (affidavit, b"broken", affidavit):
        assert service.verify(content).status_code == 200
    database: Database = service.parts.database
    return database


def change(database: Database, statement: str) -> None:
    with database.write() as connection:
        if database.dialect == "sqlite":  # whoever edits the file is not held by its constraints
            connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        assert connection.execute(text(statement)).rowcount >= 1


def test_an_untouched_log_holds(service: Service, affidavit: bytes) -> None:
    database = filled(service, affidavit)
    head = verify_chain(database, service.parts.blobs)
    assert head.seq == 4
    assert service.client.get("/v1/audit/head").json() == {"seq": 4, "digest": head.digest.hex()}


def test_anybody_can_check_a_downloaded_log(service: Service, affidavit: bytes) -> None:
    filled(service, affidavit)
    entries: list[dict[str, str]] = []
    while page := service.client.get("/v1/audit", params={"after": len(entries), "limit": 3}).json()["entries"]:
        entries += page
    links = [
        Link(int(e["seq"]), e["entry"].encode(), bytes.fromhex(e["previous"]), bytes.fromhex(e["digest"]))
        for e in entries
    ]
    seq, digest = check_links(links)
    assert service.client.get("/v1/audit/head").json() == {"seq": seq, "digest": digest.hex()}
    assert [json.loads(e["entry"])["kind"] for e in entries] == ["model", *["verification"] * 3]
    assert check_links(links[2:], seq=2, digest=links[1].digest) == (seq, digest)


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("UPDATE verifications SET verdict = 'ACCEPT', code = '' WHERE id = 2", "service.audit.row-mismatch"),
        ("UPDATE verifications SET score = score + 1 WHERE id = 1", "service.audit.row-mismatch"),
        ("DELETE FROM verifications WHERE id = 3", "service.audit.row-mismatch"),
        ("UPDATE models SET gates = 1", "service.audit.row-mismatch"),
        (
            """INSERT INTO verifications SELECT 9, recorded_at, asked_at, affidavit, report, receipt, node, signed,
            circuit, nonce, verdict, code, score, policy, version, reuse_of FROM verifications WHERE id = 1""",
            "service.audit.row-mismatch",
        ),
        ("DELETE FROM audit WHERE seq = 1", "service.audit.gap"),
        ("DELETE FROM audit WHERE seq = 2", "service.audit.gap"),
        ("DELETE FROM audit WHERE seq = 4", "service.audit.head-mismatch"),
        ("UPDATE audit SET kind = 'note' WHERE seq = 3", "service.audit.row-mismatch"),
        ("UPDATE audit SET entry = previous WHERE seq = 3", "service.audit.digest-mismatch"),
        ("UPDATE audit SET previous = digest WHERE seq = 3", "service.audit.previous-mismatch"),
        ("UPDATE audit SET seq = 7 WHERE seq = 4", "service.audit.gap"),
        ("UPDATE audit_head SET seq = 3", "service.audit.head-mismatch"),
    ],
)
def test_tampering_shows(service: Service, affidavit: bytes, statement: str, code: str) -> None:
    database = filled(service, affidavit)
    change(database, statement)
    with pytest.raises(RejectedError) as refusal:
        verify_chain(database)
    assert refusal.value.code == code


def test_blobs_are_checked_too(service: Service, affidavit: bytes) -> None:
    database = filled(service, affidavit)
    name = hashlib.sha256(affidavit).hexdigest()
    path = service.settings.blobs / name[:2] / name
    path.write_bytes(b"broken")
    with pytest.raises(OperationalError) as corrupt:
        verify_chain(database, service.parts.blobs)
    assert corrupt.value.code == "service.blob.corrupt"
    answer = service.client.get(f"/v1/affidavits/{name}")
    assert (answer.status_code, answer.json()["code"]) == (500, "service.blob.corrupt")
    path.unlink()
    with pytest.raises(RejectedError) as missing:
        verify_chain(database, service.parts.blobs)
    assert missing.value.code == "service.audit.blob-missing"
    verify_chain(database)
    service.verify(affidavit)  # what is seen again is stored again
    verify_chain(database, service.parts.blobs)


def chained(entries: list[bytes]) -> list[Link]:
    links, digest = [], GENESIS
    for seq, entry in enumerate(entries, 1):
        links.append(Link(seq, entry, digest, link_digest(seq, digest, entry)))
        digest = links[-1].digest
    return links


def outcome(links: list[Link]) -> object:
    try:
        return check_links(links)
    except RejectedError as error:
        return error.code


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=6), st.data())
def test_no_single_change_keeps_the_head(entries: list[bytes], data: st.DataObject) -> None:
    links = chained(entries)
    head = check_links(links)
    index = data.draw(st.integers(0, len(links) - 1))
    link = links[index]
    other = data.draw(st.binary(max_size=20).filter(lambda entry: entry != link.entry))
    forged = Link(link.seq, other, link.previous, link_digest(link.seq, link.previous, other))
    for changed in (
        [*links[:index], *links[index + 1 :]],
        [*links[:index], forged, *links[index + 1 :]],
        [*links[:index], Link(link.seq, other, link.previous, link.digest), *links[index + 1 :]],
        [*links, link],
    ):
        assert outcome(changed) != head


def test_the_digest_is_as_documented() -> None:
    expected = hashlib.sha256(b"affidavit/audit@v1\x00" + bytes(7) + b"\x01" + bytes(32) + b"{}").digest()
    assert link_digest(1, GENESIS, b"{}") == expected
