# SPDX-License-Identifier: AGPL-3.0-or-later
"""What stands between the network and the application: token, size, time, headers, and no traceback ever.

A plain ASGI layer. The token is compared before a byte of the body is read; the body is read here, under a bound on
bytes and seconds that also holds without ``Content-Length``; the application sees whole bodies alone.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from node.errors import MalformedError, NodeError, OperationalError, RejectedError
from node.metrics import Metrics
from node.refusals import body_of, headers_of, status_of
from node.settings import Settings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN_PATHS = frozenset({"/health"})
MIN_TOKEN = 16
_LOG = logging.getLogger("node")
_HEADERS = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
]


def read_token(path: Path) -> bytes:
    """The bearer token in a file: one line of at least 16 printable characters without spaces.

    Raises:
        MalformedError: ``node.token.malformed``.
        OperationalError: ``node.token.unreadable``.
    """
    try:
        token = path.read_bytes().strip()
    except OSError as error:
        raise OperationalError(
            "node.token.unreadable",
            f"the token file cannot be read ({error.strerror or type(error).__name__})",
        ) from None
    if len(token) < MIN_TOKEN or not all(33 <= byte <= 126 for byte in token):
        raise MalformedError(
            "node.token.malformed",
            f"a token of at least {MIN_TOKEN} printable characters without spaces required",
        )
    return token


class _Disconnected(Exception):  # noqa: N818 - not an error: the client went away
    """Nobody is there to be told anything."""


class Guard:
    """See the module."""

    def __init__(self, application: Application, settings: Settings, metrics: Metrics) -> None:
        self._application, self._metrics = application, metrics
        self._limit, self._seconds, self._uploads = (
            settings.request_bytes,
            settings.request_seconds,
            settings.uploads,
        )
        self._token = None if settings.token_file is None else read_token(settings.token_file)
        self._reading = 0

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
            self._check_token(scope)
            declared = _declared_length(scope)
            if declared > self._limit:
                raise self._too_large()
            if declared == 0 and not _chunked(scope):
                body = b""
            else:
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

    def _check_token(self, scope: Scope) -> None:
        if self._token is None or scope["path"] in OPEN_PATHS:
            return
        given = _header(scope, b"authorization")
        if given is None:
            raise RejectedError(
                "request.token.missing",
                "no bearer token",
                remedy="send Authorization: Bearer with the node's token",
            )
        scheme, _, token = given.partition(b" ")
        if scheme.lower() != b"bearer" or not hmac.compare_digest(token.strip(), self._token):
            raise RejectedError("request.token.wrong", "not the token of this node")

    async def _read(self, receive: Receive) -> bytes:
        if self._reading >= self._uploads:
            raise OperationalError(
                "node.busy",
                f"{self._uploads} request bodies are being read already",
                remedy="send it again a little later",
            )
        self._reading += 1
        try:
            async with asyncio.timeout(self._seconds):
                return await self._read_all(receive)
        except TimeoutError:
            raise MalformedError(
                "request.body.timeout", f"the body did not come in within {self._seconds:g} s"
            ) from None
        finally:
            self._reading -= 1

    async def _read_all(self, receive: Receive) -> bytes:
        parts, size = [], 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Disconnected
            part = message.get("body", b"")
            size += len(part)
            if size > self._limit:
                raise self._too_large()
            parts.append(part)
            if not message.get("more_body", False):
                return b"".join(parts)

    def _too_large(self) -> MalformedError:
        return MalformedError(
            "request.body.too-large",
            f"a body of more than {self._limit} bytes",
            remedy="send a smaller batch, or an opening in place of nested lists",
        )

    def _count(self, scope: Scope, status: int) -> None:
        route = getattr(scope.get("route"), "path", "none")
        self._metrics.requests.labels(route, str(status)).inc()


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
