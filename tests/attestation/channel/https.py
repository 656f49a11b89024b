# SPDX-License-Identifier: AGPL-3.0-or-later
"""uvicorn behind our TLS on loopback, with an application that says what it sees."""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import uvicorn

from attestation.channel.asgi import channel_of, https
from attestation.channel.session import server_context
from tests.attestation.channel.pki import Authority, Files

SLAB = bytes(range(256)) * 4096
"""1 MiB."""


class Application:
    """``/channel``: the exporter; ``/digest``: of the body; ``/mib/n``: that much, in one piece."""

    def __init__(self) -> None:
        self.ended = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"].startswith("/mib/"):
            await self.answer(send, SLAB * int(scope["path"][5:]))
            return
        digest = hashlib.sha256()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.ended.set()
                return
            digest.update(message["body"])
            if not message["more_body"]:
                break
        channel = channel_of(scope)
        said = {
            "digest": digest.hexdigest(),
            "path": scope["path"],
            "scheme": scope["scheme"],
            "version": None if channel is None else channel.version,
            "exporter": None if channel is None or channel.exporter is None else channel.exporter.hex(),
        }
        await self.answer(send, json.dumps(said).encode())

    async def answer(self, send: Any, body: bytes) -> None:
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class Server:
    """A running one."""

    def __init__(self, server: uvicorn.Server, port: int, ca: Authority, application: Application) -> None:
        self.server, self.port, self.ca, self.application = server, port, ca, application

    def connect(self, *, newest: ssl.TLSVersion | None = None, receive: int = 0) -> ssl.SSLSocket:
        """Python's own TLS: an independent peer. A truncated end is an error for it."""
        context = ssl.create_default_context(cafile=self.ca.file)
        context.set_alpn_protocols(["h2", "http/1.1"])
        if newest is not None:
            context.maximum_version = newest
        raw = socket.socket()
        if receive:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        raw.settimeout(20)
        raw.connect(("127.0.0.1", self.port))
        return context.wrap_socket(raw, server_hostname="localhost", suppress_ragged_eofs=False)


@contextlib.contextmanager
def serving(ca: Authority, files: Files | None = None) -> Iterator[Server]:
    application = Application()
    given = files or ca.issue("localhost", "127.0.0.1")
    http = https(server_context(given.certificate, given.key))
    config = uvicorn.Config(application, http=http, ws="none", lifespan="off", log_level="critical")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        waited = threading.Event()
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("the server did not start")
            waited.wait(0.01)
        try:
            yield Server(server, listening.getsockname()[1], ca, application)
        finally:
            server.should_exit = True
            thread.join(20)
            if thread.is_alive():
                raise RuntimeError("the server did not stop")


def get(path: str, *, more: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: localhost\r\n{more}\r\n".encode()


class Reader:
    """Answers one after another from a connection."""

    def __init__(self, connection: ssl.SSLSocket) -> None:
        self.connection, self.rest = connection, bytearray()

    def body(self) -> bytes:
        while (end := self.rest.find(b"\r\n\r\n")) < 0:
            self.more()
        head = bytes(self.rest[:end])
        del self.rest[: end + 4]
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-l"))
        while len(self.rest) < length:
            self.more()
        body = bytes(self.rest[:length])
        del self.rest[:length]
        return body

    def json(self) -> Any:
        return json.loads(self.body())

    def more(self) -> None:
        data = self.connection.recv(1 << 16)
        if not data:
            raise EOFError
        self.rest += data
