# SPDX-License-Identifier: AGPL-3.0-or-later
"""HTTPS under uvicorn with the channel known to the application, as ASGI extension ``affidavit.tls``.

The extension's value, ``scope["extensions"]["affidavit.tls"]``, is a :class:`Channel`. It is there where this process
terminates TLS, and nowhere else: no header says it, so no client and no proxy can.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from OpenSSL import SSL
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from attestation.channel.server import Terminator
from attestation.channel.session import Channel

EXTENSION = "affidavit.tls"


def channel_of(scope: MutableMapping[str, Any]) -> Channel | None:
    """The TLS connection over which a request came; ``None`` where this process does not terminate it."""
    found = scope.get("extensions", {}).get(EXTENSION)
    return found if isinstance(found, Channel) else None


def https(context: SSL.Context) -> type[asyncio.Protocol]:
    """uvicorn's HTTP/1.1 over TLS: for ``uvicorn.Config(http=...)``, without any of its ``ssl_*`` options."""

    class Https(Terminator):
        def __init__(
            self,
            config: Config,
            server_state: ServerState,
            app_state: dict[str, Any],
            _loop: asyncio.AbstractEventLoop | None = None,
        ) -> None:
            def within(channel: Channel) -> asyncio.Protocol:
                self._listed.discard(self)
                protocol = H11Protocol(config, server_state, app_state, _loop)
                protocol.app = _knowing(protocol.app, channel)
                return protocol

            super().__init__(context, within)
            # What uvicorn closes at its end; from the handshake on, the protocol within is there in its own right.
            self._listed: set[Any] = server_state.connections

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self._listed.add(self)
            super().connection_made(transport)

        def connection_lost(self, exc: Exception | None) -> None:
            self._listed.discard(self)
            super().connection_lost(exc)

        def shutdown(self) -> None:
            """The server stops, and this connection has not got as far as a request."""
            self.abort()

    return Https


_Application = Callable[[Any, Any, Any], Awaitable[None]]


def _knowing(application: _Application, channel: Channel) -> _Application:
    async def knowing(scope: Any, receive: Any, send: Any) -> None:
        extensions = {**scope.get("extensions", {}), EXTENSION: channel}
        await application({**scope, "extensions": extensions}, receive, send)

    return knowing
