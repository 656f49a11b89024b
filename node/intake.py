# SPDX-License-Identifier: AGPL-3.0-or-later
"""A request's body as it comes in, piece by piece, under a bound on bytes and on slowness."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from node.errors import MalformedError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Intake:
    """An ASGI ``receive`` in front of another.

    ::

        seconds that a body may take  =  seconds  +  bytes that came in * each

    Args:
        receive: the server's.
        limit: bytes of the body at most.
        seconds: allowance to begin with.
        each: seconds that every byte adds to it; none for a body that must have come in within the allowance.

    Attributes:
        whole: whether the last piece has come in.
    """

    def __init__(self, receive: Receive, limit: int, seconds: float, each: float = 0.0) -> None:
        self._receive, self._limit, self._each = receive, limit, each
        self._began, self._seconds, self._size = time.monotonic(), seconds, 0
        self.whole = False

    async def __call__(self) -> Message:
        """The next piece.

        Raises:
            MalformedError: ``request.body.too-large``, ``request.body.timeout``.
        """
        if self.whole:
            return await self._receive()  # a server tells by it when the client goes away
        allowed = self._seconds + self._size * self._each
        try:
            async with asyncio.timeout(max(0.0, self._began + allowed - time.monotonic())):
                message = await self._receive()
        except TimeoutError:
            raise MalformedError("request.body.timeout", f"the body did not come in within {allowed:g} s") from None
        self._size += len(message.get("body", b""))
        if self._size > self._limit:
            raise too_large(self._limit)
        self.whole = message["type"] == "http.request" and not message.get("more_body", False)
        return message


def too_large(limit: int) -> MalformedError:
    """The refusal of a body beyond the bound."""
    return MalformedError(
        "request.body.too-large",
        f"a body of more than {limit} bytes",
        remedy="send a smaller batch, or an opening in place of nested lists",
    )
