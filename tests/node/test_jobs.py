# SPDX-License-Identifier: AGPL-3.0-or-later
"""Jobs in a database: the same on SQLite and on PostgreSQL."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from node.errors import OperationalError
from node.jobs import DONE, FAILED, METADATA, QUEUED, RUNNING, Job, JobStore

NODE = "aa" * 32


def job(received_ms: int = 1000, node: str = NODE) -> Job:
    return Job(
        secrets.token_hex(16), node, secrets.token_hex(32), "bb" * 32, secrets.token_hex(32), QUEUED, 0, received_ms
    )


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'jobs.db'}"
        return
    found = request.getfixturevalue("postgres_url")
    yield found
    engine = create_engine(found)
    METADATA.drop_all(engine)
    engine.dispose()


@pytest.fixture
def store(url: str) -> Iterator[JobStore]:
    store = JobStore(url, NODE)
    yield store
    store.close()


def test_the_life_of_a_job(store: JobStore) -> None:
    first, second = job(2000), job(1000)
    store.add(first)
    store.add(second)
    assert store.pending() == 2
    claimed = store.claim()
    assert claimed == replace(second, state=RUNNING, attempts=1), "the oldest first"
    store.finish(second.id, affidavit="cc" * 32, sealed=None, at_ms=3000)
    found = store.find(second.id)
    assert found is not None and (found.state, found.affidavit) == (DONE, "cc" * 32)
    assert store.claim() is not None
    store.fail(first.id, OperationalError("node.internal", "why", remedy="what"), at_ms=4000)
    failed = store.find_nonce(first.nonce)
    assert failed is not None
    assert (failed.state, failed.error_code, failed.error_message, failed.error_remedy) == (
        FAILED, "node.internal", "why", "what",
    )  # fmt: skip
    assert store.claim() is None and store.pending() == 0


def test_a_finished_job_never_changes(store: JobStore) -> None:
    one = job()
    store.add(one)
    store.claim()
    store.finish(one.id, affidavit="cc" * 32, sealed=None, at_ms=2000)
    before = store.find(one.id)
    store.fail(one.id, OperationalError("node.internal", "late"), at_ms=3000)
    store.requeue(most_attempts=3)
    assert store.find(one.id) == before


def test_a_nonce_stands_once(store: JobStore) -> None:
    one = job()
    store.add(one)
    with pytest.raises(OperationalError) as caught:
        store.add(replace(job(), nonce=one.nonce))
    assert caught.value.code == "node.store.failed"
    assert store.pending() == 1


def test_a_restart_queues_what_ran_but_not_for_ever(store: JobStore) -> None:
    one = job()
    store.add(one)
    for attempt in (1, 2, 3):
        claimed = store.claim()
        assert claimed is not None and claimed.attempts == attempt
        hopeless = store.requeue(most_attempts=3)
        assert [item.id for item in hopeless] == ([one.id] if attempt == 3 else [])
    assert store.claim() is None


def test_nodes_that_share_a_database_see_their_own_jobs_alone(store: JobStore, url: str) -> None:
    other = JobStore(url, "dd" * 32)
    foreign = job(node="dd" * 32)
    other.add(foreign)
    assert store.find(foreign.id) is None and store.claim() is None and store.pending() == 0
    assert other.claim() is not None
    assert list(store.requeue(most_attempts=0)) == []
    other.close()


def test_old_and_surplus_jobs_go(store: JobStore) -> None:
    finished = []
    for index in range(5):
        one = job(received_ms=index)
        store.add(one)
        store.claim()
        store.finish(one.id, affidavit=secrets.token_hex(32), sealed=None, at_ms=1000 * index)
        finished.append(one)
    waiting = job(received_ms=0)
    store.add(waiting)
    gone = store.expire(before_ms=1500, keep=2)
    assert {item.id for item in gone} == {item.id for item in finished[:3]}
    assert store.find(waiting.id) is not None
    assert all(store.find(item.id) is not None for item in finished[3:])


def test_what_is_still_needed(store: JobStore) -> None:
    waiting, done = job(2000), job(1000)
    store.add(waiting)
    store.add(done)
    store.claim()
    store.finish(done.id, affidavit="cc" * 32, sealed="ee" * 32, at_ms=1)
    assert store.referenced() == {waiting.body, "cc" * 32, "ee" * 32}


def test_every_job_is_claimed_once(store: JobStore) -> None:
    for index in range(12):
        store.add(job(received_ms=index))
    claimed: list[str] = []

    def work() -> None:
        while (found := store.claim()) is not None:
            claimed.append(found.id)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == len(set(claimed)) == 12


@pytest.mark.parametrize("bad", ["nonsense", "sqlite:////no/such/folder/x.db", "nosuchdialect://x"])
def test_a_database_that_is_none(bad: str) -> None:
    with pytest.raises(OperationalError) as caught:
        JobStore(bad, NODE)
    assert caught.value.code == "node.store.failed" and caught.value.remedy
    assert "/no/such" not in caught.value.message
