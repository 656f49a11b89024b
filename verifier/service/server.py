# SPDX-License-Identifier: AGPL-3.0-or-later
"""Running the application under uvicorn, in this process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Mapping
from typing import Any, Literal

import uvicorn

from attestation.channel.asgi import https
from attestation.channel.session import TlsError, server_context
from verifier.errors import OperationalError
from verifier.service.app import create_app
from verifier.service.settings import Settings

BACKLOG = 2048
MAX_PORT = 65535
GRACE_SECONDS = 10

OPTIONS: Mapping[str, Any] = {
    "server_header": False,
    "access_log": False,
    "log_level": "warning",
    "ws": "none",
    "timeout_graceful_shutdown": GRACE_SECONDS,
}
"""How uvicorn is set up for the application, wherever it listens."""


def serve(settings: Settings) -> None:
    """Serve until the process is told to stop (SIGINT, SIGTERM).

    One process: spreading over several machines belongs to a proxy in front; several processes may share one
    database.

    Raises:
        OperationalError: the service cannot start.
    """
    http = protocol(settings)
    application = create_app(settings)
    with contextlib.closing(_listen(settings)) as listener:
        uvicorn.Server(uvicorn.Config(application, http=http, **OPTIONS)).run(sockets=[listener])


def protocol(settings: Settings) -> type[asyncio.Protocol] | Literal["h11"]:
    """HTTP, or HTTPS whose connections appraisals can be bound to.

    Raises:
        OperationalError: ``service.tls.unusable``, ``service.settings.malformed``.
    """
    if settings.tls_certificate is None and settings.tls_key is None:
        return "h11"
    if settings.tls_certificate is None or settings.tls_key is None:
        raise OperationalError("service.settings.malformed", "tls_certificate and tls_key go together")
    try:
        return https(server_context(settings.tls_certificate, settings.tls_key))
    except TlsError as error:
        raise OperationalError(
            "service.tls.unusable",
            f"certificate or key cannot be used ({error})",
            remedy="give PEM files that belong together, the key without a passphrase",
        ) from None


def _listen(settings: Settings) -> socket.socket:
    try:
        if settings.port > MAX_PORT:  # create_server would leave its socket open
            raise OSError(f"ports end at {MAX_PORT}")
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        return socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise OperationalError(
            "service.address.unusable",
            f"cannot listen on {settings.host} port {settings.port} ({error.strerror or error})",
            remedy="choose another address or port",
        ) from None
