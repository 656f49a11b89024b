# SPDX-License-Identifier: AGPL-3.0-or-later
"""A node that drips does not hold its client; one behind a slow line is waited for."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable

import pytest

from affidavit import bounded
from affidavit.errors import OperationalError
from affidavit.transport import Transport
from tests.client.loopback import loopback

TIMEOUT = 0.4
STEP = 0.1
HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 60\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n"


def dripping(head: bytes, tail: bytes) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(head)
        for value in tail:
            time.sleep(STEP)
            connection.sendall(bytes([value]))

    return answer


@pytest.mark.parametrize(
    ("head", "tail"),
    [
        (HEAD + b"\r\n", b"x" * 60),
        (HEAD, b"x-more: " + b"x" * 60),
        (CHUNKED + b"\r\n", b"1;" + b"x" * 60),
        (HEAD + b"content-encoding: gzip\r\n\r\n", b"\x1f\x8b\x08" + bytes(7) + b"\x00\x00\x00\xff\xff" * 10),
    ],
    ids=["body", "head", "chunk", "nothing inside gzip"],
)
def test_a_dripping_node_does_not_hold_its_client(head: bytes, tail: bytes) -> None:
    with loopback(dripping(head, tail)) as place, Transport(f"http://{place}", timeout=TIMEOUT) as transport:
        began = time.monotonic()
        with pytest.raises(OperationalError) as caught:
            transport.request("GET", "/")
        assert caught.value.code == "client.network.failed"
        assert TIMEOUT / 2 < time.monotonic() - began < 3  # the tail alone takes six seconds


def test_a_node_that_reads_slowly_does_not_hold_its_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what goes out must be taken in time; here its bytes buy none."""
    monkeypatch.setattr(bounded, "SLOWEST", 1 << 40)
    given_up = threading.Event()

    def answer(connection: socket.socket) -> None:
        while not given_up.wait(STEP):
            connection.recv(1 << 17)

    with loopback(answer) as place, Transport(f"http://{place}", timeout=TIMEOUT) as transport:
        began = time.monotonic()
        try:
            with pytest.raises(OperationalError) as caught:
                transport.request("POST", "/", content=bytes(64 << 20))
        finally:
            given_up.set()
        assert caught.value.code == "client.network.failed"
        assert time.monotonic() - began < 3


def test_bytes_buy_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow line that keeps its pace brings more than fits into the bare timeout."""
    monkeypatch.setattr(bounded, "SLOWEST", 4096)
    size, steps = 4096, 10

    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(f"HTTP/1.1 200 OK\r\ncontent-length: {size * steps}\r\n\r\n".encode())
        for _ in range(steps):
            time.sleep(STEP)
            connection.sendall(bytes(size))

    with loopback(answer) as place, Transport(f"http://{place}", timeout=TIMEOUT) as transport:
        began = time.monotonic()
        assert transport.request("GET", "/") == bytes(size * steps)
        assert time.monotonic() - began > 2 * TIMEOUT


def test_each_exchange_has_its_own_time() -> None:
    def answer(connection: socket.socket) -> None:
        for _ in range(4):
            connection.recv(65536)
            time.sleep(STEP)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    with loopback(answer) as place, Transport(f"http://{place}", timeout=TIMEOUT) as transport:
        for _ in range(4):  # over one connection, longer than one timeout
            assert transport.request("GET", "/") == b"ok"
            time.sleep(STEP)
