# SPDX-License-Identifier: AGPL-3.0-or-later
"""What stands between the network and the application: token, size, time, headers, and no traceback ever.

A plain ASGI layer. The token is compared before a byte of the body is read; the body is read here, under a bound on
bytes and seconds that also holds without ``Content-Length``; the application sees whole bodies alone. Uploads, which
may be larger than what should lie in memory, go through piece by piece under such a bound (:mod:`node.intake`).
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import logging
import traceback
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from node.errors import MalformedError, NodeError, OperationalError, RejectedError
from node.intake import Application, Intake, Message, Receive, Scope, Send, too_large
from node.metrics import Metrics
from node.refusals import body_of, headers_of, status_of
from node.settings import Settings

OPEN_PATHS = frozenset({"/health"})
UPLOADS_PATH = "/v1/uploads"
MIN_TOKEN, MAX_TOKENS = 16, 1024
OTHERS_PART = 4
"""One in so many places for bodies that come in is not for a client that has all the others."""
CLIENT = "affidavit.client"
"""In the scope: who asks, for shares of what the node has. By token; by address where there are no tokens."""
_LOG = logging.getLogger("node")
_HEADERS = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
]


def read_tokens(path: Path) -> tuple[bytes, ...]:
    """The bearer tokens in a file, one a line, a client's each: 16 or more printable characters without spaces.

    Raises:
        MalformedError: ``node.token.malformed``.
        OperationalError: ``node.token.unreadable``.
    """
    try:
        tokens = tuple(line.strip() for line in path.read_bytes().strip().split(b"\n"))
    except OSError as error:
        raise OperationalError(
            "node.token.unreadable",
            f"the token file cannot be read ({error.strerror or type(error).__name__})",
        ) from None
    fine = all(len(token) >= MIN_TOKEN and all(33 <= byte <= 126 for byte in token) for token in tokens)
    if not fine or len(tokens) > MAX_TOKENS or len(set(tokens)) != len(tokens):
        raise MalformedError(
            "node.token.malformed",
            f"1 to {MAX_TOKENS} tokens required, one a line, all distinct, each of at least {MIN_TOKEN} printable "
            "characters without spaces",
        )
    return tokens


class _Disconnected(Exception):  # noqa: N818 - not an error: the client went away
    """Nobody is there to be told anything."""


class Guard:
    """See the module."""

    def __init__(self, application: Application, settings: Settings, metrics: Metrics) -> None:
        self._application, self._metrics = application, metrics
        self._limit_of_uploads = settings.upload_bytes
        self._limit, self._seconds, self._uploads = (
            settings.request_bytes,
            settings.request_seconds,
            settings.uploads,
        )
        self._tokens = None if settings.token_file is None else read_tokens(settings.token_file)
        self._reading: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        started = False

        async def answer(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message = {**message, "headers": [*message.get("headers", ()), *_HEADERS]}
                self._count(scope, message["status"])
            await send(message)

        try:
            await self._serve(scope, receive, answer)
        except _Disconnected:
            return
        except Exception as error:  # noqa: BLE001 - the last line of defence
            where = traceback.extract_tb(error.__traceback__)[-1]
            # The place without the text: an error's message may hold what a client sent.
            _LOG.error("unexpected %s in %s, line %s", type(error).__name__, where.name, where.lineno)
            if not started:
                failure = OperationalError("node.internal", "the node failed on this request")
                await _refuse(failure, answer, close=True)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            token = self._check_token(scope)
            scope[CLIENT] = _address(scope) if token is None else f"token {hashlib.sha256(token).hexdigest()}"
            declared, streamed = _declared_length(scope), scope["path"] == UPLOADS_PATH
            limit = self._limit_of_uploads if streamed else self._limit
            if declared > limit:
                raise too_large(limit)
            if streamed:
                async with self._place(scope[CLIENT]):
                    await self._stream(scope, receive, send)
                return
            if declared == 0 and not _chunked(scope):
                body = b""
            else:
                async with self._place(scope[CLIENT]):
                    body = await self._read(receive)
        except NodeError as error:
            await _refuse(error, send, close=True)
            return
        delivered = False

        async def replay() -> Message:
            nonlocal delivered
            if delivered:
                return await receive()
            delivered = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._application(scope, replay, send)

    def _check_token(self, scope: Scope) -> bytes | None:
        """The token, where one is needed."""
        if self._tokens is None or scope["path"] in OPEN_PATHS:
            return None
        given = _header(scope, b"authorization")
        if given is None:
            raise RejectedError(
                "request.token.missing",
                "no bearer token",
                remedy="send Authorization: Bearer with the node's token",
            )
        scheme, _, token = given.partition(b" ")
        token = token.strip()
        known = [hmac.compare_digest(token, own) for own in self._tokens]  # all of them, whichever it is
        if scheme.lower() != b"bearer" or not any(known):
            raise RejectedError("request.token.wrong", "not a token of this node")
        return token

    @asynccontextmanager
    async def _place(self, client: str) -> AsyncIterator[None]:
        """One of the bodies that may come in at a time; some places no single client can take from the others."""
        most = self._uploads - self._uploads // OTHERS_PART
        if self._reading.total() >= self._uploads or self._reading[client] >= most:
            raise OperationalError(
                "node.busy",
                f"{self._reading.total()} request bodies are being read already, {self._reading[client]} of this "
                f"client's; at most {self._uploads}, of one client's {most}",
                remedy="send it again a little later",
            )
        self._reading[client] += 1
        try:
            yield
        finally:
            self._reading[client] -= 1
            self._reading = +self._reading  # no memory of who is gone

    async def _read(self, receive: Receive) -> bytes:
        intake, parts = Intake(receive, self._limit, self._seconds), []
        while not intake.whole:
            message = await intake()
            if message["type"] == "http.disconnect":
                raise _Disconnected
            parts.append(message.get("body", b""))
        return b"".join(parts)

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        intake = Intake(receive, self._limit_of_uploads, self._seconds, self._seconds / self._limit)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start" and not intake.whole:
                # The rest of the body is not read, so the connection is of no further use.
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            await send(message)

        await self._application(scope, intake, answer)

    def _count(self, scope: Scope, status: int) -> None:
        route = getattr(scope.get("route"), "path", "none")
        self._metrics.requests.labels(route, str(status)).inc()


def _address(scope: Scope) -> str:
    """Whose share it is where clients have no tokens: an IPv4 address, or an IPv6 network of 64 bits."""
    host = str((scope.get("client") or ("unknown",))[0])
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return f"network {ipaddress.ip_network((address, 64), strict=False)}"
    return f"address {getattr(address, 'ipv4_mapped', None) or address}"


async def _refuse(error: NodeError, send: Send, *, close: bool) -> None:
    body = body_of(error)
    headers = {**headers_of(error), "content-length": str(len(body))}
    if close:  # the rest of the body is not read, so the connection is of no further use
        headers["connection"] = "close"
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status_of(error), "headers": encoded})
    await send({"type": "http.response.body", "body": body})


def _header(scope: Scope, name: bytes) -> bytes | None:
    return next((value for key, value in scope["headers"] if key == name), None)


def _chunked(scope: Scope) -> bool:
    return _header(scope, b"transfer-encoding") is not None


def _declared_length(scope: Scope) -> int:
    text = _header(scope, b"content-length") or b"0"
    if not text.isdigit() or len(text) > 18:
        raise MalformedError("request.body.malformed", "Content-Length is not a number")
    return int(text)
