# SPDX-License-Identifier: AGPL-3.0-or-later
"""TPMs' clocks: what a key said is kept with the verdict, and no later nonce is answered from before it."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from affidavit.policy_file import write_policy
from attestation import raw
from attestation.clock import Counters
from attestation.tpm2.ak import load_ak
from tests.attestation import paper
from tests.service.appraising import ask, key_file, mint, started
from tests.service.conftest import Clock, Service, Start
from tests.verifier.making import NODE, Making, public
from verifier.context import Context
from verifier.service import schema
from verifier.service.clocks import remember

BACKWARDS = "evidence.tpm2.counters-backwards"
UNKNOWN = "evidence.tpm2.counters-unknown"
KEY = load_ak(paper.PaperTpm().members()).fingerprint


@pytest.fixture
def appraising(start: Start) -> Service:
    return started(start)


def quoted(challenge: bytes, **said: Any) -> bytes:
    return raw.members_document("tpm2-quote@v1", paper.PaperTpm(extra_data=challenge, **said).members())


def shown(service: Service, *, nonce: bytes | None = None, **said: Any) -> Any:
    """Evidence over a nonce minted now, or over one from before."""
    nonce = mint(service) if nonce is None else nonce
    answer = ask(service, quoted(nonce, **said), nonce=nonce.hex())
    assert answer.status_code == 200, answer.text
    return answer.json()


def line(answer: Any) -> tuple[str, str]:
    (found,) = [check for check in answer["checks"] if check["id"] == "evidence.tpm2.counters"]
    return found["result"], found["code"]


def known(service: Service, key: bytes = KEY) -> Counters | None:
    return service.parts.verification.clocks.known(frozenset({key}), service.clock.at).get(key)


def test_forward_is_kept_and_backward_is_refused(appraising: Service) -> None:
    first = shown(appraising, clock=1000, resets=1, restarts=0)
    assert first["verdict"] == "ACCEPT" and line(first) == ("SKIP", UNKNOWN)
    steps: tuple[tuple[dict[str, Any], str], ...] = (
        ({"clock": 1000, "resets": 1, "restarts": 0}, "ACCEPT"),  # equal: clocks tick in milliseconds
        ({"clock": 999, "resets": 1, "restarts": 0}, "REJECT"),
        ({"clock": 2000, "resets": 0, "restarts": 5}, "REJECT"),
        ({"clock": 2000, "resets": 1, "restarts": 0}, "ACCEPT"),
        ({"clock": 2001, "resets": 1, "restarts": 3}, "ACCEPT"),
        ({"clock": 2002, "resets": 1, "restarts": 2}, "REJECT"),
        ({"clock": 2002, "resets": 2, "restarts": 0}, "ACCEPT"),  # a boot: restarts count from there
        ({"clock": 1500, "resets": 2, "restarts": 0, "safe": False}, "REJECT"),  # unsafe, but not booted since
        ({"clock": 1500, "resets": 3, "restarts": 0}, "REJECT"),  # safe says: nothing higher was ever reported
        ({"clock": 1500, "resets": 3, "restarts": 0, "safe": False}, "ACCEPT"),  # power was lost
    )
    for said, verdict in steps:
        answer = shown(appraising, **said)
        assert answer["verdict"] == verdict, said
        assert line(answer) == (("PASS", "") if verdict == "ACCEPT" else ("FAIL", BACKWARDS)), said
    assert known(appraising) == Counters(1500, 3, 0)


def test_what_was_kept_outlives_the_service(start: Start) -> None:
    service = started(start)
    shown(service, clock=5000)
    again = start(service.clock, appraisal_key=key_file(start.folder), policies=service.settings.policies)
    answer = shown(again, clock=4999)
    assert (answer["verdict"], answer["code"]) == ("REJECT", BACKWARDS)
    assert shown(again, clock=5001)["verdict"] == "ACCEPT"


def test_quotes_that_overtake_each_other_are_honest(appraising: Service) -> None:
    """The nonce of the first was drawn before the second was seen: it may be from before it."""
    early = mint(appraising)
    appraising.clock.turn(seconds=1)
    shown(appraising, clock=7000)
    answer = shown(appraising, nonce=early, clock=6000)
    assert answer["verdict"] == "ACCEPT" and line(answer) == ("SKIP", UNKNOWN)
    assert known(appraising) == Counters(7000, 1, 2), "what is behind moves nothing"
    appraising.clock.turn(seconds=1)
    assert shown(appraising, clock=6500)["code"] == BACKWARDS


def test_a_nonce_of_the_clients_own_is_at_most_as_old_as_one_of_ours(appraising: Service) -> None:
    shown(appraising, clock=7000)
    assert shown(appraising, nonce=b"\1" * 32, clock=6000)["verdict"] == "ACCEPT"
    appraising.clock.turn(seconds=300)
    answer = shown(appraising, nonce=b"\2" * 32, clock=6000)
    assert (answer["verdict"], answer["code"]) == ("REJECT", BACKWARDS)


def test_without_a_nonce_nothing_is_compared_or_kept(appraising: Service) -> None:
    assert ask(appraising, quoted(bytes(32), clock=9000), nonce=None).json()["verdict"] == "ACCEPT"
    assert known(appraising) is None
    shown(appraising, clock=9000)
    answer = ask(appraising, quoted(bytes(32), clock=1), nonce=None).json()
    assert answer["verdict"] == "ACCEPT" and line(answer) == ("SKIP", UNKNOWN)


def test_strangers_move_nothing(appraising: Service) -> None:
    shown(appraising, clock=1000)
    nonce, far = mint(appraising), 1 << 60
    good = paper.PaperTpm(extra_data=nonce, clock=far).members()
    forged = {**good, "signature": paper.PaperTpm(extra_data=nonce).members()["signature"]}
    another = paper.PaperTpm(extra_data=bytes(32), clock=far).members()
    for members in (forged, another):
        answer = ask(appraising, raw.members_document("tpm2-quote@v1", members), nonce=nonce.hex()).json()
        assert answer["verdict"] == "REJECT"
        nonce = mint(appraising)
    unvouched = paper.PaperTpm(key=paper.key_pair("p256", 9), extra_data=nonce)
    members = unvouched.members(ak_certificate=None, ek_certificate=None)
    answer = ask(appraising, raw.members_document("tpm2-quote@v1", members), nonce=nonce.hex()).json()
    assert answer["verdict"] == "UNVERIFIABLE"
    assert known(appraising) == Counters(1000, 1, 2)
    assert known(appraising, load_ak(members).fingerprint) is None


def test_a_known_key_moves_on_whatever_else_is_wrong(appraising: Service) -> None:
    """A machine that is refused for its boot was there all the same: rolled back to before, it is noticed."""
    shown(appraising, clock=1000)
    nonce = mint(appraising)
    members = paper.PaperTpm(extra_data=nonce, clock=3000).members(ak_certificate=None, ek_certificate=None)
    refused = ask(appraising, raw.members_document("tpm2-quote@v1", members), nonce=nonce.hex()).json()
    assert refused["verdict"] == "UNVERIFIABLE"
    assert shown(appraising, clock=2000)["code"] == BACKWARDS


def test_no_update_is_lost(appraising: Service) -> None:
    """Each of many writers sees what the one before it committed, on both databases."""
    database, lifetime = appraising.parts.database, appraising.parts.verification.clocks.lifetime
    together = threading.Barrier(8)

    def write(own: int) -> None:
        together.wait()
        for step in range(5):
            said = {KEY: Counters(1000 + (own * 37 + step * 61) % 100, 1, 0)}
            with database.write() as connection:
                remember(connection, said, accepted=True, at=paper.AT, lifetime=lifetime)

    threads = [threading.Thread(target=write, args=(own,)) for own in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    highest = max(1000 + (own * 37 + step * 61) % 100 for own in range(8) for step in range(5))
    assert known(appraising) == Counters(highest, 1, 0)
    with database.read() as connection:
        rows = connection.execute(select(schema.clocks).order_by(schema.clocks.c.id)).all()
    said = [int(row.clock_ms) for row in rows]
    assert said == sorted(set(said)), "only what was ahead was written"


def test_rows_that_no_nonce_needs_are_dropped(appraising: Service) -> None:
    for step in range(6):
        shown(appraising, clock=1000 + step)
        appraising.clock.turn(seconds=200)
    with appraising.parts.database.read() as connection:
        count = connection.execute(select(func.count()).select_from(schema.clocks)).scalar_one()
    assert count == 4  # those of two lifetimes, and the last from before them
    assert shown(appraising, clock=1004)["code"] == BACKWARDS


def test_what_a_question_under_way_is_held_against_is_not_dropped(appraising: Service) -> None:
    """It arrived while its nonce was good, and is judged after somebody else's that arrived later."""
    database, memory = appraising.parts.database, appraising.parts.verification.clocks
    began, lifetime = paper.AT, memory.lifetime

    def record(clock: int, at: datetime) -> None:
        with database.write() as connection:
            remember(connection, {KEY: Counters(clock, 1, 0)}, accepted=True, at=at, lifetime=lifetime)

    record(1000, began)
    drawn = began + timedelta(seconds=1)
    record(2000, drawn + timedelta(seconds=1))
    assert memory.known(frozenset({KEY}), drawn) == {KEY: Counters(1000, 1, 0)}
    record(3000, drawn + lifetime + timedelta(seconds=2))
    assert memory.known(frozenset({KEY}), drawn) == {KEY: Counters(1000, 1, 0)}


def test_the_largest_clock_there_is(appraising: Service) -> None:
    shown(appraising, clock=(1 << 64) - 1, resets=(1 << 32) - 1, restarts=(1 << 32) - 1)
    assert known(appraising) == Counters((1 << 64) - 1, (1 << 32) - 1, (1 << 32) - 1)


def test_a_key_is_forgotten_on_demand(appraising: Service) -> None:
    shown(appraising, clock=1000)
    memory = appraising.parts.verification.clocks
    assert memory.forget(KEY) and not memory.forget(KEY)
    assert shown(appraising, clock=1)["verdict"] == "ACCEPT"


# Affidavits.


def attesting(start: Start) -> Service:
    folder: Path = start.folder
    (folder / "attested.toml").write_bytes(
        write_policy(
            name="attested", assurance=["signed", "attested"], accept=["tpm2-quote@v1"], profile="home",
            ek_roots=[paper.maker().der], ak_issuers=[paper.attestation_ca().der], nodes=[public(NODE)],
        ).replace(b"\nassurance", b"\ninput = false\nassurance", 1)
    )  # fmt: skip
    return start(Clock(paper.AT), policies=(folder / "attested.toml",))


def affidavit(nonce: bytes, **said: Any) -> bytes:
    plain = Making(nonce=nonce, change={"received_at": "2026-06-01T11:59:58Z", "completed_at": "2026-06-01T11:59:59Z"})
    context: Context = plain.context(plain.receipt())
    members = paper.PaperTpm(extra_data=context.digest, **said).members()
    return replace(plain, evidence=(("tpm2-quote@v1", members),)).build()


def test_affidavits_under_minted_nonces(start: Start) -> None:
    service = attesting(start)

    def verdict(nonce: bytes, file: bytes, **query: Any) -> tuple[str, str]:
        answer = service.verify(file, nonce=nonce.hex(), model=Making().circuit.digest.hex(), **query).json()
        return answer["verdict"], answer["code"]

    from circuits import dump_circuit

    assert service.put_model(dump_circuit(Making().circuit)).status_code in (200, 201)
    early = mint(service)
    service.clock.turn(seconds=1)
    nonce = mint(service)
    file = affidavit(nonce, clock=2000)
    assert verdict(nonce, file) == ("ACCEPT", "")
    service.clock.turn(seconds=1)
    late = mint(service)
    assert verdict(late, affidavit(late, clock=1000)) == ("REJECT", BACKWARDS)
    assert verdict(early, affidavit(early, clock=1500)) == ("ACCEPT", ""), "its nonce is older than what was seen"
    own = b"\7" * 32
    old = affidavit(own, clock=1)
    for _ in range(2):
        assert verdict(own, old) == ("ACCEPT", ""), "nobody knows how old a client's own nonce is"
