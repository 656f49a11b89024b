# SPDX-License-Identifier: AGPL-3.0-or-later
"""Minted nonces: one use, a limited time, also when many ask at once."""

from __future__ import annotations

import threading

import pytest

from circuits import dump_circuit
from tests.service.conftest import Service
from tests.verifier.making import Making
from verifier.service import Limits, Refusal
from verifier.service.verification import Question


def mint(service: Service) -> str:
    answer = service.client.post("/v1/nonces")
    assert answer.status_code == 201
    return str(answer.json()["nonce"])


def test_a_minted_nonce_is_good_for_one_verification(service: Service) -> None:
    nonce = mint(service)
    making = Making(nonce=bytes.fromhex(nonce))
    model = service.put_model(dump_circuit(making.circuit)).json()["circuit"]
    first = service.verify(making.build(), nonce=nonce, model=model)
    assert first.json()["verdict"] == "ACCEPT"
    second = service.verify(making.build(), nonce=nonce, model=model)
    assert (second.status_code, second.json()["code"]) == (409, "request.nonce.used")
    assert f"verification {first.json()['record']['id']}" in second.json()["message"]
    assert len(service.client.get("/v1/verifications").json()["verifications"]) == 1


def test_an_expired_nonce_is_refused(service: Service) -> None:
    nonce = mint(service)
    making = Making(nonce=bytes.fromhex(nonce))
    service.clock.turn(seconds=300)
    answer = service.verify(making.build(), nonce=nonce)
    assert (answer.status_code, answer.json()["code"]) == (410, "request.nonce.expired")


def test_a_nonce_lives_until_just_before_its_end(service: Service) -> None:
    answer = service.client.post("/v1/nonces").json()
    assert answer["expires"] == "2026-11-21T12:05:00.000000Z"
    service.clock.turn(seconds=299.999999)
    making = Making(nonce=bytes.fromhex(answer["nonce"]))
    assert service.verify(making.build(), nonce=answer["nonce"]).status_code == 200


def test_a_nonce_of_the_clients_own_is_not_limited(service: Service, affidavit: bytes) -> None:
    for _ in range(2):
        assert service.verify(affidavit, nonce="ab" * 32).status_code == 200


def test_one_of_many_that_race_for_a_nonce_wins(service: Service) -> None:
    nonce = mint(service)
    content = Making(nonce=bytes.fromhex(nonce)).build()
    statuses: list[int] = []
    together = threading.Barrier(4)  # as many as there are slots

    def ask() -> None:
        together.wait()
        statuses.append(service.verify(content, nonce=nonce).status_code)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 409, 409, 409]
    assert service.client.get("/v1/audit/head").json()["seq"] == 1


def test_the_race_is_decided_where_the_verdict_is_recorded(service: Service) -> None:
    """Two that both passed the early check: only one is recorded, the other leaves no trace."""
    nonce = bytes.fromhex(mint(service))
    at = service.clock()
    question = Question(nonce, None, None, None, at, at)
    content = Making(nonce=nonce).build()
    first, second = (service.parts.verification.decide(content, question) for _ in range(2))
    service.parts.verification.record(first, at)
    with pytest.raises(Refusal) as refusal:
        service.parts.verification.record(second, at)
    assert refusal.value.code == "request.nonce.used"
    assert len(service.client.get("/v1/verifications").json()["verifications"]) == 1


def test_nonces_that_nobody_uses_are_bounded(start_sqlite) -> None:
    service = start_sqlite(limits=Limits(free_bytes=0, outstanding=2))
    mint(service), mint(service)
    answer = service.client.post("/v1/nonces")
    assert (answer.status_code, answer.json()["code"]) == (503, "service.nonce.too-many")
    assert answer.headers["retry-after"] == "300"
    service.clock.turn(seconds=300)
    mint(service)
