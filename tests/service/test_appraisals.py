# SPDX-License-Identifier: AGPL-3.0-or-later
"""Appraising for others: every verdict recorded and signed, nonces and signed bodies good once."""

from __future__ import annotations

import base64
import threading

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import delete, select, text, update

from attestation import raw
from attestation.ear.keys import load_key
from attestation.ear.reading import verify_ear
from attestation.ear.tiers import Tier
from tests.attestation import paper
from tests.service.appraising import ask, evidence, key_file, mint, started
from tests.service.conftest import Service, Start
from verifier.errors import OperationalError
from verifier.service import Database, Limits, verify_chain
from verifier.service.schema import SCHEMA_VERSION, appraisals, clocks, schema_version, statements


@pytest.fixture
def appraising(start: Start) -> Service:
    return started(start)


@pytest.mark.parametrize("form", ["jwt", "cwt"])
@pytest.mark.parametrize("dialect", ["draft", "veraison"])
@pytest.mark.parametrize("kind", ["ES256", "EdDSA"])
def test_a_signed_result(start_sqlite: Start, form: str, dialect: str, kind: str) -> None:
    service = started(start_sqlite, appraisal_key=key_file(start_sqlite.folder, kind))
    answer = ask(service, query={"ear_format": form, "ear_dialect": dialect}).json()
    assert (answer["verdict"], answer["status"]) == ("ACCEPT", "affirming")
    token = answer["ear_token"].encode() if form == "jwt" else base64.b64decode(answer["ear_token"])
    key = load_key(service.client.get("/v1/appraisals/key").content)
    ear = verify_ear(token, key, at=paper.AT, nonce=paper.CHALLENGE)
    assert ear.status is Tier.AFFIRMING and ear.exp == ear.iat + 3600
    assert answer["record"]["id"] == 1 and answer["audit"]["seq"] == 1


def test_every_verdict_is_recorded(appraising: Service) -> None:
    for data, changes, verdict, status in (
        (None, {}, "ACCEPT", "affirming"),
        (None, {"nonce": "ab" * 32}, "REJECT", "contraindicated"),
        (evidence(ak_certificate=None, ek_certificate=None), {"nonce": None}, "UNVERIFIABLE", "none"),
        (b"nonsense", {}, "MALFORMED", "none"),
    ):
        answer = ask(appraising, data, **changes)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert (found["verdict"], found["status"]) == (verdict, status), found["code"]
        assert (found["ear_token"] is None) == (verdict == "MALFORMED")
        assert found["record"]["verdict"] == verdict
    assert verify_chain(appraising.parts.database, appraising.parts.blobs).seq == 4


def test_a_minted_nonce_serves_one_appraisal(appraising: Service) -> None:
    nonce = mint(appraising)
    assert ask(appraising, evidence(nonce), nonce=nonce.hex()).json()["verdict"] == "ACCEPT"
    again = ask(appraising, evidence(nonce), nonce=nonce.hex())
    assert (again.status_code, again.json()["code"]) == (409, "request.nonce.used")
    assert "appraisal 1" in again.json()["message"]
    verified = appraising.verify(b"x", nonce=nonce.hex())
    assert (verified.status_code, verified.json()["code"]) == (409, "request.nonce.used")


def test_a_nonce_that_a_verification_used_serves_no_appraisal(appraising: Service) -> None:
    nonce = mint(appraising)
    assert appraising.verify(b"x", nonce=nonce.hex()).status_code == 200
    answer = ask(appraising, evidence(nonce), nonce=nonce.hex())
    assert (answer.status_code, answer.json()["code"]) == (409, "request.nonce.used")


def test_a_nonce_that_is_late(appraising: Service) -> None:
    nonce = mint(appraising)
    appraising.clock.turn(seconds=300)
    answer = ask(appraising, evidence(nonce), nonce=nonce.hex())
    assert (answer.status_code, answer.json()["code"]) == (410, "request.nonce.expired")


@pytest.mark.parametrize("first", ["", "00", "00" * 32])
@pytest.mark.parametrize("then", ["", "00", "00" * 32])
def test_a_minted_nonce_serves_once_in_every_spelling(appraising: Service, first: str, then: str) -> None:
    """Machines fill up a challenge with zeros: N and N || 00 are one question."""
    nonce = mint(appraising)
    one, other = nonce + bytes.fromhex(first), nonce + bytes.fromhex(then)
    assert ask(appraising, evidence(one), nonce=one.hex()).json()["verdict"] == "ACCEPT"
    again = ask(appraising, evidence(other), nonce=other.hex())
    assert (again.status_code, again.json()["code"]) == (409, "request.nonce.used")


def test_a_nonce_that_an_appraisal_used_waits_no_longer(start_sqlite: Start) -> None:
    service = started(start_sqlite, limits=Limits(free_bytes=0, outstanding=1))
    for _ in range(3):
        nonce = mint(service)
        assert service.client.post("/v1/nonces").status_code == 503
        assert ask(service, evidence(nonce), nonce=nonce.hex()).status_code == 200


def test_what_is_not_here_has_a_remedy(appraising: Service) -> None:
    strangers = (ask(appraising, type="nope"), "evidence-type"), (ask(appraising, policy="ab" * 32), "policy")
    for answer, code in strangers:
        assert (answer.status_code, answer.json()["code"]) == (404, f"service.{code}.unknown")
        assert answer.json()["remedy"]


def test_zeros_do_not_revive_a_nonce(appraising: Service) -> None:
    nonce = mint(appraising)
    appraising.clock.turn(seconds=300)
    late = nonce + bytes(1)
    answer = ask(appraising, evidence(late), nonce=late.hex())
    assert (answer.status_code, answer.json()["code"]) == (410, "request.nonce.expired")


def test_a_signed_body_is_fresh_once_however_it_is_wrapped(appraising: Service) -> None:
    assert ask(appraising).json()["record"]["body"]
    bare = evidence(event_log=None)
    for data in (evidence(), base64.b64encode(evidence()), evidence().replace(b"\n", b" ")):
        answer = ask(appraising, data)
        assert (answer.status_code, answer.json()["code"]) == (409, "service.evidence.replayed")
    assert ask(appraising, bare).json()["code"] == "service.evidence.replayed"
    assert len(appraising.client.get("/v1/audit").json()["entries"]) == 1


def test_evidence_that_claims_no_freshness_may_come_again(appraising: Service) -> None:
    for _ in range(2):
        answer = ask(appraising, nonce=None).json()
        assert answer["verdict"] == "ACCEPT" and answer["record"]["body"] is None


def test_of_many_that_race_with_one_body_one_is_fresh(appraising: Service) -> None:
    data = evidence()
    statuses: list[int] = []
    together = threading.Barrier(4)

    def show() -> None:
        together.wait()
        statuses.append(ask(appraising, data).status_code)

    threads = [threading.Thread(target=show) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 409, 409, 409]


def test_collateral_comes_along(appraising: Service) -> None:
    pem = paper.maker().certificate.public_bytes(Encoding.PEM)
    assert ask(appraising, collateral=[base64.b64encode(pem).decode()]).json()["verdict"] == "ACCEPT"
    broken = base64.b64encode(b"-----BEGIN CERTIFICATE-----\n").decode()
    answer = ask(appraising, evidence(bytes(32)), nonce="00" * 32, collateral=[broken]).json()
    assert (answer["verdict"], answer["code"]) == ("MALFORMED", "evidence.collateral.armour-malformed")


def test_members_that_are_not_there(appraising: Service) -> None:
    bare = raw.members_document("tpm2-quote@v1", {"pcrs": b"x"})
    assert ask(appraising, bare).json()["code"] == "evidence.tpm2.member-missing"


def test_refusals(appraising: Service) -> None:
    for changes, status, code in (
        ({"type": "abacus"}, 404, "service.evidence-type.unknown"),
        ({"policy": "ab" * 32}, 404, "service.policy.unknown"),
        ({"channel_binding": "tls-exporter"}, 501, "service.channel-binding.unsupported"),
        ({"channel_binding": "tls-unique"}, 422, "service.request.malformed"),
        ({"nonce": "zz"}, 422, "service.request.malformed"),
        ({"nonce": "00" * 65}, 422, "service.request.malformed"),
        ({"evidence": "***"}, 422, "service.request.malformed"),
        ({"more": 1}, 422, "service.request.malformed"),
    ):
        answer = ask(appraising, **changes)
        assert (answer.status_code, answer.json()["code"]) == (status, code), changes
    assert appraising.client.get("/v1/audit").json()["entries"] == []


def test_a_body_that_is_too_large(start_sqlite: Start) -> None:
    service = started(start_sqlite, limits=Limits(free_bytes=0, evidence_bytes=1000))
    answer = ask(service)
    assert (answer.status_code, answer.json()["code"]) == (413, "service.body.too-large")


def test_without_a_key_nothing_is_appraised(start_sqlite: Start) -> None:
    service = start_sqlite()
    for answer in (ask(service), service.client.get("/v1/appraisals/key")):
        assert (answer.status_code, answer.json()["code"]) == (404, "service.appraisal.disabled")


def test_without_a_policy_nobody_is_trusted(start_sqlite: Start) -> None:
    service = started(start_sqlite, policies=())
    bare = raw.members_document("tpm2-quote@v1", {"pcrs": b"x"})
    assert ask(service, bare).json()["code"] == "evidence.type.not-accepted"
    answer = ask(service).json()
    assert (answer["verdict"], answer["code"]) == ("UNVERIFIABLE", "evidence.type.not-accepted")


def test_a_key_that_is_none(start_sqlite: Start) -> None:
    (start_sqlite.folder / "bad.pem").write_text("no key")
    with pytest.raises(OperationalError) as caught:
        started(start_sqlite, appraisal_key=start_sqlite.folder / "bad.pem")
    assert caught.value.code == "service.settings.malformed"


@pytest.mark.parametrize("found", [1, 2])
def test_a_database_of_an_earlier_version_gets_the_new_tables(database_url: str, found: int) -> None:
    added = [table for table, version in ((statements, 3), (clocks, 3), (appraisals, 2)) if version > found]
    database = Database(database_url)
    database.migrate(paper.AT)
    with database.write() as connection:
        for table in added:
            table.drop(connection)
        connection.execute(delete(schema_version))
        connection.execute(schema_version.insert().values(version=found, applied_at=0))
    database.migrate(paper.AT)
    database.migrate(paper.AT)
    with database.read() as connection:
        for table in added:
            assert connection.execute(select(table)).all() == []
        versions = connection.execute(select(schema_version.c.version).order_by(schema_version.c.version)).scalars()
        assert list(versions) == list(range(found, SCHEMA_VERSION + 1))
    database.close()


def test_a_database_of_the_second_version_keeps_what_was_fresh(start_sqlite: Start) -> None:
    service = started(start_sqlite)
    assert ask(service).json()["verdict"] == "ACCEPT"
    with service.parts.database.write() as connection:
        statements.drop(connection)
        clocks.drop(connection)
        connection.execute(update(schema_version).values(version=2))
    service.parts.database.migrate(paper.AT)
    answer = ask(service)
    assert (answer.status_code, answer.json()["code"]) == (409, "service.evidence.replayed")
    with service.parts.database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM statements")).scalar() == 0
        assert connection.execute(text("SELECT count(*) FROM appraisals")).scalar() == 1
