# SPDX-License-Identifier: AGPL-3.0-or-later
"""Bounds hold, refusals have one shape, and nothing of our own fault touches a record."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy.exc import OperationalError as DatabaseFault

from tests.service.conftest import Service, Start
from tests.verifier.making import NONCE
from verifier.errors import OperationalError
from verifier.service import Limits


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, str]:
    document: dict[str, str] = answer.json()
    assert (answer.status_code, document["code"]) == (status, code)
    assert document.keys() == {"code", "message", "remedy"}
    assert document["message"] and "Traceback" not in answer.text
    return document


def count(service: Service) -> int:
    return int(service.client.get("/v1/audit/head").json()["seq"])


def small(start: Start, **limits: int) -> Service:
    return start(limits=Limits(free_bytes=0, **limits))


def test_a_body_with_a_stated_length_beyond_the_limit_is_refused(start_sqlite: Start) -> None:
    service = small(start_sqlite, affidavit_bytes=1000)
    refused(service.verify(bytes(1001)), 413, "service.body.too-large")
    assert service.verify(bytes(1000)).json()["verdict"] == "MALFORMED"


def test_a_streamed_body_is_refused_while_it_comes(start_sqlite: Start) -> None:
    service = small(start_sqlite, affidavit_bytes=1000)
    sent = 0

    def stream() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 100
            yield bytes(100)

    headers = {"content-type": "application/octet-stream"}
    answer = service.client.post("/v1/verify", content=stream(), headers=headers)
    refused(answer, 413, "service.body.too-large")
    assert count(service) == 0


def test_json_bodies_are_bounded_too(start_sqlite: Start) -> None:
    service = small(start_sqlite, document_bytes=100)
    answer = service.client.post("/v1/enrolments", json={"ek_certificate": "A" * 200, "ak_public": ""})
    refused(answer, 413, "service.body.too-large")


def test_a_body_that_does_not_come_is_given_up(start_sqlite: Start) -> None:
    service = small(start_sqlite, body_seconds=1)
    url = service.client.base_url
    with socket.create_connection((url.host, url.port), timeout=20) as connection:
        connection.sendall(
            b"POST /v1/verify HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"
            b"Content-Length: 10\r\n\r\nabc"
        )
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert service.parts.workers.taken == 0 and count(service) == 0


def test_a_caller_who_hangs_up_frees_the_slot(start_sqlite: Start) -> None:
    service = small(start_sqlite, concurrency=1)
    url = service.client.base_url
    with socket.create_connection((url.host, url.port), timeout=20) as connection:
        connection.sendall(
            b"POST /v1/verify HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"
            b"Content-Length: 10\r\n\r\nabc"
        )
        wait_until(lambda: service.parts.workers.taken == 1)
        refused(service.verify(b"x"), 503, "service.busy")
    wait_until(lambda: service.parts.workers.taken == 0)
    assert service.verify(b"x").status_code == 200


def wait_until(condition: Any) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("media_type", ["text/plain", "multipart/form-data", "", "application/json"])
def test_other_media_types_are_refused(start_sqlite: Start, media_type: str) -> None:
    service = start_sqlite()
    answer = service.client.post("/v1/verify", content=b"x", headers={"content-type": media_type})
    refused(answer, 415, "service.media-type.unsupported")


class Stuck:
    """Stands in for the core: waits until it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.entered = threading.Event()

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.entered.set()
        self.let_go.wait(60)
        raise RuntimeError("too late")


def test_more_than_can_be_verified_at_a_time_is_refused(start_sqlite: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    service, stuck = small(start_sqlite, concurrency=1), Stuck()
    monkeypatch.setattr("verifier.service.verification.verify", stuck)
    thread = threading.Thread(target=service.verify, args=(b"x",))
    thread.start()
    try:
        assert stuck.entered.wait(20)
        answer = service.verify(b"x")
        refused(answer, 503, "service.busy")
        assert int(answer.headers["retry-after"]) >= 1
        assert service.client.get("/health").status_code == 200
        assert "affidavit_verifier_slots_taken 1.0" in service.client.get("/metrics").text
    finally:
        stuck.let_go.set()
        thread.join(20)
    monkeypatch.undo()
    wait_until(lambda: service.parts.workers.taken == 0)
    assert service.verify(b"x").status_code == 200


def test_a_verification_that_takes_too_long_leaves_no_record(
    start_sqlite: Start, monkeypatch: pytest.MonkeyPatch, affidavit: bytes
) -> None:
    service, stuck = small(start_sqlite, concurrency=1, verify_seconds=1), Stuck()
    nonce = service.client.post("/v1/nonces").json()["nonce"]
    monkeypatch.setattr("verifier.service.verification.verify", stuck)
    refused(service.verify(affidavit, nonce=nonce), 504, "service.timeout")
    refused(service.verify(affidavit), 503, "service.busy")  # its thread still runs, so its slot is still taken
    stuck.let_go.set()
    wait_until(lambda: service.parts.workers.taken == 0)
    monkeypatch.undo()
    assert count(service) == 0
    assert service.verify(affidavit, nonce=nonce).status_code == 200  # the nonce was not spent


def test_a_fault_of_our_own_leaves_no_record_and_no_traceback(
    start_sqlite: Start, monkeypatch: pytest.MonkeyPatch, affidavit: bytes
) -> None:
    service = start_sqlite()

    def broken(*arguments: Any, **named: Any) -> Any:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr("verifier.service.verification.verify", broken)
    answer = service.verify(affidavit)
    refused(answer, 500, "service.internal")
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert count(service) == 0


def test_a_database_that_does_not_answer_is_said_so(start_sqlite: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    service = start_sqlite()

    def broken() -> None:
        raise DatabaseFault("SELECT 1", {}, Exception("password=x"))

    monkeypatch.setattr(service.parts.database, "ping", broken)
    answer = service.client.get("/health")
    refused(answer, 503, "service.database.unavailable")
    assert answer.headers["retry-after"] and "password" not in answer.text


def test_a_full_disk_is_said_so(start_sqlite: Start, affidavit: bytes) -> None:
    service = start_sqlite(limits=Limits(free_bytes=1 << 62))
    refused(service.verify(affidavit, nonce=NONCE.hex()), 507, "service.storage.full")
    assert count(service) == 0


def test_requests_of_all_kinds_are_bounded(start_sqlite: Start) -> None:
    service = small(start_sqlite, requests=1)
    url = service.client.base_url
    with socket.create_connection((url.host, url.port), timeout=20) as connection:
        connection.sendall(b"POST /v1/verify HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n")
        connection.sendall(b"abc")
        connection.recv(10)  # refused for its media type, so the one place is free again
    assert service.client.get("/v1/audit").status_code == 200
    with socket.create_connection((url.host, url.port), timeout=20) as connection:
        connection.sendall(
            b"POST /v1/verify HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"
            b"Content-Length: 10\r\n\r\nabc"
        )
        wait_until(lambda: service.parts.workers.taken == 1)
        refused(service.client.get("/v1/audit"), 503, "service.busy")
        assert service.client.get("/health").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/verify", 405, "service.method.not-allowed"),
        ("POST", "/v1/verifications", 405, "service.method.not-allowed"),
        ("GET", "/v1/verifications/0", 422, "service.request.malformed"),
        ("GET", "/v1/verifications/x", 422, "service.request.malformed"),
        ("GET", "/v1/verifications/99999999999999999999", 422, "service.request.malformed"),
        ("GET", "/v1/verifications?limit=501", 422, "service.request.malformed"),
        ("GET", "/v1/verifications?verdict=ERROR", 422, "service.request.malformed"),
        ("GET", "/v1/affidavits/..%2f..%2fetc", 404, "service.path.unknown"),
        ("GET", "/v1/affidavits/" + "0" * 64 + "%0a", 422, "service.request.malformed"),
        ("GET", "/v1/nodes/" + "A" * 64, 422, "service.request.malformed"),
        ("POST", "/v1/verify?nonce=00", 422, "service.request.malformed"),
        ("POST", "/v1/verify?at=yesterday", 422, "service.request.malformed"),
        ("POST", "/v1/verify?at=2026-13-01T00:00:00Z", 422, "service.request.malformed"),
        ("POST", "/v1/verify?at=2026-11-21T12:00:00Z%0a", 422, "service.request.malformed"),
        ("POST", "/v1/verify?at=0001-01-01T00:00:00%2B23:59", 422, "service.request.malformed"),
        ("POST", "/v1/verify?at=9999-12-31T23:59:59-23:59", 422, "service.request.malformed"),
        ("POST", "/v1/verify?at=1969-12-31T23:59:59Z", 422, "service.request.malformed"),
        ("GET", "/docs", 404, "service.path.unknown"),
    ],
)
def test_bad_requests_have_one_shape(start_sqlite: Start, method: str, path: str, status: int, code: str) -> None:
    headers = {"content-type": "application/octet-stream"}
    refused(start_sqlite().client.request(method, path, headers=headers), status, code)


def test_every_answer_carries_the_headers(start_sqlite: Start) -> None:
    service = start_sqlite()
    for path in ("/health", "/v1/audit", "/nothing", "/metrics", "/openapi.json"):
        headers = service.client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers


def test_writing_needs_the_token(start_sqlite: Start, affidavit: bytes) -> None:
    token_file = start_sqlite.folder / "token"
    token_file.write_text("correct-horse-battery\n")
    service = start_sqlite(token_file=token_file)
    for method, path in (
        ("POST", "/v1/verify"),
        ("PUT", "/v1/models"),
        ("POST", "/v1/nonces"),
        ("POST", "/v1/enrolments"),
        ("POST", "/v1/enrolments/" + "0" * 64),
    ):
        for header in (
            {},
            {"authorization": "Bearer wrong"},
            {"authorization": "Basic correct-horse-battery"},
        ):
            answer = service.client.request(
                method, path, headers={"content-type": "application/octet-stream", **header}
            )
            refused(answer, 401, "service.unauthorized")
            assert answer.headers["www-authenticate"] == "Bearer"
    assert service.client.get("/v1/audit").status_code == 200
    service.client.headers["authorization"] = "Bearer correct-horse-battery"
    assert service.verify(affidavit).status_code == 200


def test_reading_can_need_the_token_too(start_sqlite: Start) -> None:
    token_file = start_sqlite.folder / "token"
    token_file.write_text("correct-horse-battery")
    service = start_sqlite(token_file=token_file, public_reads=False)
    for path in ("/v1/audit", "/v1/verifications", "/metrics", "/v1/models", "/v1/affidavits/" + "0" * 64):
        refused(service.client.get(path), 401, "service.unauthorized")
    assert service.client.get("/health").status_code == 200


def test_a_short_token_is_refused_at_start(start_sqlite: Start) -> None:
    token_file = start_sqlite.folder / "token"
    token_file.write_text("short")
    with pytest.raises(OperationalError) as refusal:
        start_sqlite(token_file=token_file)
    assert refusal.value.code == "service.settings.malformed" and "short" not in str(refusal.value)[:20]


def test_metrics_count(start_sqlite: Start, affidavit: bytes) -> None:
    service = start_sqlite()
    service.verify(affidavit), service.verify(b"x"), service.client.get("/nothing/" + "x" * 50)
    text = service.client.get("/metrics").text
    assert 'affidavit_verifier_verdicts_total{verdict="MALFORMED"} 1.0' in text
    assert 'affidavit_verifier_verdicts_total{verdict="UNVERIFIABLE"} 1.0' in text
    assert 'requests_total{method="POST",route="/v1/verify",status="200"} 2.0' in text
    assert 'route="none",status="404"' in text and "xxxx" not in text
    assert 'affidavit_verifier_refusals_total{code="service.path.unknown"} 1.0' in text
