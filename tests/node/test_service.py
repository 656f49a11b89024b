# SPDX-License-Identifier: AGPL-3.0-or-later
"""Accepted work: acknowledged once it is on disk, run once, kept for a while, and private where it was sealed."""

from __future__ import annotations

import base64
import json
import secrets
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from attestation.simulated import SimulatedEvidence
from circuits import dump_circuit, encode_inputs
from node import Node, NodeError
from node.jobs import DONE, FAILED, QUEUED, Job
from node.limits import MAX_ATTEMPTS
from node.sealed import seal_input
from node.service import Service
from node.settings import Settings
from node.workers import Workers
from tests.node.making import AT, everything_below, inputs, small_circuit, trusting
from verifier import Known, Verdict, read_affidavit, verify

CIRCUIT = small_circuit()


class Clock:
    """A time that tests set."""

    def __init__(self) -> None:
        self.now = AT

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(tmp_path: Path, clock: Clock) -> Iterator[Callable[..., Service]]:
    made: list[Service] = []

    def make_service(**settings: Any) -> Service:
        node = Node(tmp_path, SimulatedEvidence(), threads=1, clock=clock)
        node.models.put(dump_circuit(CIRCUIT))
        made.append(Service(node, Settings(tmp_path, **settings)))
        return made[-1]

    yield make_service
    for service in made:
        service.close()


def body(nonce: str | None = None, **changes: Any) -> bytes:
    fields = {"model": CIRCUIT.digest.hex(), "nonce": nonce or secrets.token_hex(32)}
    return json.dumps({**fields, "inputs": {"x": inputs()["x"].tolist()}, **changes}).encode()


def work_off(service: Service, count: int = 1) -> None:
    """Run the queue until it is empty."""
    workers = Workers(service, count)
    workers.start()
    done = threading.Event()
    for _ in range(2000):
        if service.jobs.pending() == 0:
            break
        done.wait(0.01)
    assert workers.stop(10)
    assert service.jobs.pending() == 0


def refusal(call: Callable[[], object]) -> NodeError:
    with pytest.raises(NodeError) as caught:
        call()
    return caught.value


def test_submitted_run_fetched_believed(make: Callable[..., Service]) -> None:
    service = make()
    nonce = secrets.token_hex(32)
    job = service.submit(body(nonce))
    assert job.state == QUEUED
    assert refusal(lambda: service.affidavit(job.id)).code == "request.job.unfinished"
    work_off(service)
    assert service.job(job.id).state == DONE
    known = Known(CIRCUIT, inputs(), bytes.fromhex(nonce))
    result = verify(service.affidavit(job.id), at=AT, policy=trusting(service.node.keys.signing), known=known)
    assert result.verdict is Verdict.ACCEPT
    assert refusal(lambda: service.sealed_answer(job.id)).code == "request.job.not-sealed"
    assert refusal(lambda: service.job("00" * 16)).code == "request.job.unknown"


def test_the_request_goes_when_the_answer_is_there(make: Callable[..., Service]) -> None:
    service = make()
    job = service.submit(body())
    assert list(service.blobs.digests()) == [job.body]
    work_off(service)
    assert list(service.blobs.digests()) == [service.job(job.id).affidavit]


def test_the_nonce_is_the_key_to_send_again(make: Callable[..., Service]) -> None:
    service = make()
    first = body("ab" * 32)
    job = service.submit(first)
    assert service.submit(first) == job
    assert refusal(lambda: service.submit(body("ab" * 32, embed_circuit=True))).code == "request.nonce.reused"
    work_off(service)
    assert service.submit(first).id == job.id
    assert refusal(lambda: service.submit(body("ab" * 32, embed_circuit=True))).code == "request.nonce.reused"
    assert list(service.blobs.digests()) == [service.job(job.id).affidavit]


def test_the_same_body_from_many_threads_is_one_job(make: Callable[..., Service]) -> None:
    service = make()
    data, barrier, ids = body(), threading.Barrier(8), []

    def submit() -> None:
        barrier.wait()
        ids.append(service.submit(data).id)

    threads = [threading.Thread(target=submit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 8 and len(set(ids)) == 1 and service.jobs.pending() == 1


def test_a_full_queue_says_so_and_keeps_nothing(make: Callable[..., Service]) -> None:
    service = make(queue=2)
    kept = [service.submit(body()) for _ in range(2)]
    assert refusal(lambda: service.submit(body())).code == "node.queue.full"
    assert sorted(service.blobs.digests()) == sorted(job.body for job in kept)
    work_off(service)
    assert service.submit(body()).state == QUEUED


def test_two_workers_do_everything_once(make: Callable[..., Service]) -> None:
    service = make(workers=2)
    jobs = [service.submit(body()) for _ in range(12)]
    work_off(service, 2)
    found = [service.job(job.id) for job in jobs]
    assert {job.state for job in found} == {DONE} and {job.attempts for job in found} == {1}
    nonces = [read_affidavit(service.affidavit(job.id)).receipt.nonce.hex() for job in found]
    assert nonces == [job.nonce for job in found]


def test_a_sealed_request_is_nowhere_in_clear(make: Callable[..., Service], tmp_path: Path) -> None:
    service = make()
    nonce = secrets.token_bytes(32)
    encoded = encode_inputs(CIRCUIT, inputs(64))
    sealed = seal_input(service.node.keys.sealing, nonce, CIRCUIT.digest, encoded)
    box = base64.b64encode(sealed.box).decode()
    job = service.submit(json.dumps({"model": CIRCUIT.digest.hex(), "nonce": nonce.hex(), "sealed": box}).encode())
    before = everything_below(tmp_path)
    work_off(service)
    after = everything_below(tmp_path)
    output = sealed.reply.open_answer(service.sealed_answer(job.id), nonce)
    affidavit = service.affidavit(job.id)
    known = Known(CIRCUIT, inputs(64), nonce, (sealed.opening, output))
    policy = trusting(service.node.keys.signing)
    assert verify(affidavit, at=AT, policy=policy, known=known).verdict is Verdict.ACCEPT
    secrets_ = [sealed.opening.salt, encoded["x"].astype("<i1").tobytes()[:64], inputs(64)["x"].tobytes()[:64]]
    secrets_ += [output.tensors["y"].astype(f"<i{width}").tobytes()[:64] for width in (1, 2, 4, 8)]
    secrets_ += [encoded["x"].astype(f"<i{width}").tobytes()[:64] for width in (2, 4, 8)]
    for place in (before, after, affidavit):
        assert not [secret for secret in secrets_ if secret in place]


def test_a_crash_before_the_answer_loses_nothing(make: Callable[..., Service]) -> None:
    first = make()
    jobs = [first.submit(body()) for _ in range(3)]
    claimed = first.jobs.claim()  # and then the process dies
    assert claimed is not None
    first.close()
    second = make()
    second.recover()
    work_off(second)
    assert [second.job(job.id).state for job in jobs] == [DONE] * 3
    assert second.job(claimed.id).attempts == 2


def test_a_request_that_kills_the_process_is_given_up(make: Callable[..., Service]) -> None:
    service = make()
    job = service.submit(body())
    for _ in range(MAX_ATTEMPTS):
        assert service.jobs.claim() is not None
        service.recover()
    failed = service.job(job.id)
    assert (failed.state, failed.error_code) == (FAILED, "node.job.abandoned")
    assert list(service.blobs.digests()) == []
    assert refusal(lambda: service.affidavit(job.id)).code == "request.job.failed"


def test_what_a_crash_left_half_done_is_swept(make: Callable[..., Service], tmp_path: Path) -> None:
    service = make()
    job = service.submit(body())
    service.blobs.put(b"an affidavit whose job was never marked as done")
    (tmp_path / "blobs" / ".new-0123").write_bytes(b"half")
    service.close()
    again = make()
    again.recover()
    assert [path.name for path in (tmp_path / "blobs").iterdir()] == [job.body]


def test_jobs_are_forgotten_after_their_time(make: Callable[..., Service], clock: Clock) -> None:
    service = make(retention_seconds=3600)
    old = service.submit(body())
    work_off(service)
    clock.now = AT + timedelta(seconds=3500)
    young = service.submit(body())
    work_off(service)
    service.sweep()
    assert service.job(old.id).state == DONE
    clock.now = AT + timedelta(seconds=3700)
    service.sweep()
    assert refusal(lambda: service.job(old.id)).code == "request.job.unknown"
    assert service.affidavit(young.id)
    assert list(service.blobs.digests()) == [service.job(young.id).affidavit]


def test_a_job_that_fails_says_why(make: Callable[..., Service], monkeypatch: pytest.MonkeyPatch) -> None:
    service = make()
    job = service.submit(body())
    service.node.models.remove(CIRCUIT.digest)
    work_off(service)
    failed = service.job(job.id)
    assert (failed.state, failed.error_code) == (FAILED, "request.model.unknown")


def test_the_unexpected_fails_one_job_and_tells_nothing(
    make: Callable[..., Service], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    service = make()
    real = service.node.run
    job = service.submit(body())

    def explode(*args: object, **options: object) -> object:
        monkeypatch.setattr(service.node, "run", real)
        raise ZeroDivisionError("secret content")

    monkeypatch.setattr(service.node, "run", explode)
    other = service.submit(body())
    work_off(service)
    states: dict[str, Job] = {item.id: service.job(item.id) for item in (job, other)}
    assert sorted(item.state for item in states.values()) == [DONE, FAILED]
    failed = next(item for item in states.values() if item.state == FAILED)
    assert failed.error_code == "node.internal" and "secret" not in (failed.error_message or "")
    assert "ZeroDivisionError" in caplog.text and "secret" not in caplog.text


def test_a_damaged_request_blob_fails_its_job(make: Callable[..., Service], tmp_path: Path) -> None:
    service = make()
    job = service.submit(body())
    (tmp_path / "blobs" / job.body).write_bytes(b"something else")
    work_off(service)
    assert service.job(job.id).error_code == "node.blobs.damaged"


@pytest.mark.parametrize(
    "wrong",
    [{"workers": 0}, {"queue": 0}, {"port": 70000}, {"request_bytes": 1}, {"request_seconds": 0.0}, {"threads": -1}],
)
def test_settings_that_make_no_sense(tmp_path: Path, wrong: dict[str, Any]) -> None:
    assert refusal(lambda: Settings(tmp_path, **wrong)).code == "node.settings.malformed"
    assert refusal(lambda: Settings(tmp_path, tls_key=tmp_path)).code == "node.settings.malformed"
