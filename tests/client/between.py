# SPDX-License-Identifier: AGPL-3.0-or-later
"""Somebody between a client and a node, with a certificate that the client trusts."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator

import httpx

from attestation.channel.session import Channel, Session, TlsError, server_context
from tests.attestation.channel.pki import Files
from tests.client.loopback import loopback

Relay = Callable[[str, Channel], "tuple[int, bytes]"]
"""Path and query of a request, and the client's connection -> status and body of the answer."""


def ask(url: str, path: str) -> tuple[int, bytes]:
    """Ask the node: somebody in between need not care whom to believe."""
    with httpx.Client(verify=False, trust_env=False) as http:  # noqa: S501
        answer = http.get(url + path)
        return answer.status_code, answer.content


@contextlib.contextmanager
def between(files: Files, relay: Relay) -> Iterator[str]:
    """A server that ends the client's TLS, knows its exporter, and answers with ``relay``; yields its URL."""
    context = server_context(files.certificate, files.key)

    def answer(connection: socket.socket) -> None:
        with contextlib.suppress(TlsError, EOFError):
            _answer_all(connection, Session(context, server=True), relay)

    with loopback(answer) as place:
        yield f"https://{place}"


def _answer_all(connection: socket.socket, session: Session, relay: Relay) -> None:
    def move() -> None:
        connection.sendall(session.outgoing())
        data = connection.recv(1 << 16)
        if not data:
            raise EOFError
        session.feed(data)

    while not session.handshake():
        move()
    connection.sendall(session.outgoing())
    heads = b""
    while True:
        while b"\r\n\r\n" not in heads:
            while (data := session.read(1 << 14)) is None:
                move()
            if not data:
                return
            heads += data
        head, _, heads = heads.partition(b"\r\n\r\n")
        status, body = relay(head.split(b" ")[1].decode(), session.channel)
        answer = memoryview(f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
        while answer:
            answer = answer[session.write(answer) :]
        connection.sendall(session.outgoing())
