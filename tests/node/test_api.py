# SPDX-License-Identifier: AGPL-3.0-or-later
"""The node over a real uvicorn on loopback: every route, every limit, and no traceback ever."""

from __future__ import annotations

import json
import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from circuits import dump_circuit
from node import NodeError
from node.errors import OperationalError
from node.jobs import JobStore
from node.serve import running
from node.service import Service
from node.settings import Settings
from tests.node.making import Running, assert_refused, everything_below, inputs, prepare, serving, small_circuit
from verifier import read_affidavit

CIRCUIT = small_circuit()
TOKEN = "correct-horse-battery-staple"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("api")
    prepare(folder)
    with serving(Settings(folder, port=0, threads=1, request_bytes=20_000, request_seconds=1.0)) as found:
        yield found


@pytest.fixture
def http(served: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.url) as client:
        yield client


def submission(**changes: Any) -> dict[str, Any]:
    fields = {"model": CIRCUIT.digest.hex(), "nonce": secrets.token_hex(32)}
    return {**fields, "inputs": {"x": inputs()["x"].tolist()}, **changes}


def finished(http: httpx.Client, url: str) -> dict[str, Any]:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        job: dict[str, Any] = http.get(url).json()
        if job["state"] in ("done", "failed"):
            return job
        time.sleep(0.01)
    raise AssertionError("the job did not finish")


def test_submit_look_fetch(http: httpx.Client) -> None:
    asked = submission(embed_input=True)
    accepted = http.post("/v1/inferences", json=asked)
    assert accepted.status_code == 202
    job = accepted.json()
    assert job["state"] == "queued" and job["affidavit_url"] is None
    assert accepted.headers["location"] == job["status_url"]
    done = finished(http, job["status_url"])
    assert done["state"] == "done" and done["error"] is None and done["sealed_answer_url"] is None
    answer = http.get(done["affidavit_url"])
    assert answer.headers["content-type"] == "application/vnd.affidavit+zip"
    assert read_affidavit(answer.content).receipt.nonce.hex() == asked["nonce"]
    assert_refused(http.get(f"{job['status_url']}/sealed-answer"), 404, "request.job.not-sealed")
    assert http.post("/v1/inferences", json=asked).json()["id"] == job["id"]
    assert_refused(http.post("/v1/inferences", json={**asked, "embed_input": False}), 409, "request.nonce.reused")


def test_models(http: httpx.Client) -> None:
    (model,) = http.get("/v1/models").json()["models"]
    assert model["digest"] == CIRCUIT.digest.hex() and model["name"] == "small"
    assert model["inputs"][0] == {
        "name": "x", "shape": [4], "dtype": "float32", "scale": 1 / 127, "low": -1.0, "high": 1.0,
    }  # fmt: skip
    assert http.get(f"/v1/models/{model['digest']}").content == dump_circuit(CIRCUIT)
    assert_refused(http.get(f"/v1/models/{'00' * 32}"), 404, "request.model.unknown")
    assert_refused(http.get("/v1/models/zz"), 400, "request.parameter.malformed")


def test_health_and_metrics(http: httpx.Client) -> None:
    health = http.get("/health").json()
    assert health["status"] == "ok" and health["simulated"] is True and "simulated" in health["evidence"]
    finished(http, http.post("/v1/inferences", json=submission()).json()["status_url"])
    text = http.get("/metrics").text
    assert 'affidavit_node_requests_total{route="/v1/inferences",status="202"}' in text
    assert 'affidavit_node_stage_seconds_count{stage="run"}' in text
    assert "affidavit_node_pending_jobs" in text


def test_paths_and_methods_that_are_not(http: httpx.Client) -> None:
    assert_refused(http.get("/"), 404, "request.path.unknown")
    assert_refused(http.get("/v1/inferences/../../etc/passwd"), 404, "request.path.unknown")
    response = http.put("/v1/inferences")
    assert_refused(response, 405, "request.method.not-allowed")
    assert response.headers["allow"] == "POST"
    assert_refused(http.get("/v1/keys"), 400, "request.parameter.malformed")
    assert_refused(http.get("/v1/keys?challenge=AB"), 400, "request.parameter.malformed")


def test_headers_on_everything(http: httpx.Client) -> None:
    for response in (http.get("/health"), http.get("/nothing"), http.post("/v1/inferences", content=b"{")):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert "server" not in response.headers


def read_all(connection: socket.socket) -> bytes:
    """Until the node hangs up."""
    parts = []
    while part := connection.recv(4096):
        parts.append(part)
    return b"".join(parts)


def test_a_declared_oversize_is_refused_unread(served: Running) -> None:
    with socket.create_connection(("127.0.0.1", int(served.url.rsplit(":", 1)[1])), 10) as connection:
        connection.sendall(b"POST /v1/inferences HTTP/1.1\r\nhost: x\r\ncontent-length: 20001\r\n\r\n")
        answer = read_all(connection)
    assert b" 413 " in answer and b"connection: close" in answer.lower()


def test_an_undeclared_oversize_is_refused_while_reading(http: httpx.Client, served: Running) -> None:
    before = everything_below(served.settings.data_dir / "blobs")

    def endless() -> Iterator[bytes]:
        for _ in range(1000):
            yield b"x" * 1000

    try:
        response = http.post("/v1/inferences", content=endless())
    except httpx.NetworkError:
        pass  # the node may hang up before we are through
    else:
        assert_refused(response, 413, "request.body.too-large")
    assert everything_below(served.settings.data_dir / "blobs") == before


def test_a_body_just_within_the_limit_is_read(http: httpx.Client) -> None:
    padded = json.dumps(submission()).encode().ljust(20_000)
    assert http.post("/v1/inferences", content=padded).status_code == 202
    assert_refused(http.post("/v1/inferences", content=padded + b" "), 413, "request.body.too-large")


def test_a_body_that_never_comes(served: Running) -> None:
    with socket.create_connection(("127.0.0.1", int(served.url.rsplit(":", 1)[1])), 10) as connection:
        connection.sendall(b"POST /v1/inferences HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
        answer = read_all(connection)
    assert b" 408 " in answer and b"request.body.timeout" in answer


def test_a_length_that_is_none_and_a_client_that_leaves(served: Running, http: httpx.Client) -> None:
    address = ("127.0.0.1", int(served.url.rsplit(":", 1)[1]))
    with socket.create_connection(address, 10) as connection:
        connection.sendall(b"POST /v1/inferences HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n")
        assert b" 400 " in read_all(connection)
    with socket.create_connection(address, 10) as connection:
        connection.sendall(b"POST /v1/inferences HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
    assert http.get("/health").status_code == 200


def test_a_full_queue_is_503_with_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(tmp_path)
    monkeypatch.setattr(JobStore, "claim", lambda self: None)  # nobody works: what comes in stays
    settings = Settings(tmp_path, port=0, queue=1, threads=1)
    with serving(settings) as found, httpx.Client(base_url=found.url) as http:
        first = submission()
        assert http.post("/v1/inferences", json=first).status_code == 202
        refused = http.post("/v1/inferences", json=submission())
        assert_refused(refused, 503, "node.queue.full")
        assert refused.headers["retry-after"] == "2"
        assert http.post("/v1/inferences", json=first).status_code == 202, "what was accepted stays accepted"


def test_only_so_many_bodies_at_a_time(tmp_path: Path) -> None:
    prepare(tmp_path)
    with serving(Settings(tmp_path, port=0, uploads=1, request_seconds=5.0)) as found:
        address = ("127.0.0.1", int(found.url.rsplit(":", 1)[1]))
        with socket.create_connection(address, 10) as slow, httpx.Client(base_url=found.url) as http:
            slow.sendall(b"POST /v1/inferences HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
            time.sleep(0.2)
            response = http.post("/v1/inferences", json=submission())
            assert_refused(response, 503, "node.busy")
            assert response.headers["retry-after"] == "2"
            assert http.get("/health").status_code == 200


def test_a_token_keeps_strangers_out(tmp_path: Path) -> None:
    prepare(tmp_path)
    (tmp_path / "token").write_text(TOKEN + "\n")
    settings = Settings(tmp_path, port=0, token_file=tmp_path / "token")
    with serving(settings) as found, httpx.Client(base_url=found.url) as http:
        assert http.get("/health").status_code == 200
        for path in ("/v1/models", "/metrics", "/openapi.json", f"/v1/keys?challenge={'00' * 32}"):
            missing = http.get(path)
            assert_refused(missing, 401, "request.token.missing")
            assert missing.headers["www-authenticate"] == "Bearer"
        for wrong in (f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", "Bearer", TOKEN):
            refused = http.post("/v1/inferences", json=submission(), headers={"authorization": wrong})
            assert_refused(refused, 401, "request.token.wrong")
        right = {"authorization": f"Bearer {TOKEN}"}
        assert http.post("/v1/inferences", json=submission(), headers=right).status_code == 202


@pytest.mark.parametrize("token", [b"", b"short", b"with a blank in it, and long", b"\xff" * 20])
def test_a_token_file_that_is_none(tmp_path: Path, token: bytes) -> None:
    (tmp_path / "token").write_bytes(token)
    with pytest.raises(NodeError) as caught, running(Settings(tmp_path, token_file=tmp_path / "token"), None):
        pass
    assert caught.value.code == "node.token.malformed"
    with pytest.raises(NodeError) as caught, running(Settings(tmp_path, token_file=tmp_path / "no"), None):
        pass
    assert caught.value.code == "node.token.unreadable"


def test_one_service_per_data_directory(served: Running) -> None:
    with pytest.raises(NodeError) as caught, running(Settings(served.settings.data_dir), None):
        pass
    assert caught.value.code == "node.data-dir.in-use"


def test_a_fault_of_our_own_is_500_without_a_word_of_it(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def explode(self: Service, job_id: str) -> None:
        raise ZeroDivisionError("secret content")

    monkeypatch.setattr(Service, "job", explode)
    response = http.get(f"/v1/inferences/{'00' * 16}")
    assert_refused(response, 500, "node.internal")
    deadline = time.monotonic() + 5  # the answer goes out before the log does
    while "ZeroDivisionError" not in caplog.text and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "secret" not in response.text + caplog.text and "ZeroDivisionError" in caplog.text


def test_a_database_in_trouble_is_503(http: httpx.Client, served: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: JobStore) -> None:
        raise OperationalError("node.store.failed", "the node's database does not do its work")

    monkeypatch.setattr(JobStore, "ping", fail)
    assert_refused(http.get("/health"), 503, "node.store.failed")
