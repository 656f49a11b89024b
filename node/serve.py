# SPDX-License-Identifier: AGPL-3.0-or-later
"""A node's service as a process: one lock on the data directory, workers, a server, an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import uvicorn

from attestation.channel.asgi import https
from attestation.channel.session import TlsError, server_context
from attestation.producers import Producer
from node.api import create_app
from node.errors import OperationalError
from node.guard import Guard
from node.metrics import Metrics
from node.node import Node
from node.service import Service
from node.settings import Settings
from node.workers import Workers

BACKLOG = 128
KEEP_ALIVE_SECONDS = 5


def serve(settings: Settings, producer: Producer | None, *, ready: Callable[[str], None] = lambda url: None) -> None:
    """Serve until SIGINT or SIGTERM. Then: no new requests, running inferences finish, queued ones stay on disk.

    Args:
        settings: where, with what limits.
        producer: source of evidence; closed at the end. ``None`` for none.
        ready: called with the URL as soon as the socket listens.

    Raises:
        NodeError: ``node.data-dir.in-use``, ``node.address.unusable``, ``node.keys.*``, ``node.store.*``,
            ``node.token.*``, ``node.tls.unusable``.
    """
    with (
        running(settings, producer) as application,
        contextlib.closing(_listen(settings)) as listener,
        _outliving_signals(),
    ):
        server = uvicorn.Server(configure(application, settings))
        host, port = listener.getsockname()[:2]
        scheme = "http" if settings.tls_key is None else "https"
        ready(f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}")
        server.run(sockets=[listener])


@contextlib.contextmanager
def running(settings: Settings, producer: Producer | None) -> Iterator[Guard]:
    """Node, service and workers around an ASGI application; everything is closed at the end."""
    metrics = Metrics()
    with _locked(settings.data_dir):
        node = Node(
            settings.data_dir,
            producer,
            threads=settings.threads,
            model_memory=settings.model_memory,
            max_elements=settings.max_elements,
            observe=metrics.observe,
        )
        with node, contextlib.closing(Service(node, settings)) as service:
            node.uploads.forget_halves()
            application = create_app(service, metrics)
            service.recover()
            workers = Workers(service, settings.workers, finished=metrics.finished)
            workers.start()
            try:
                yield application
            finally:
                workers.stop(settings.shutdown_seconds)


@contextlib.contextmanager
def _outliving_signals() -> Iterator[None]:
    """uvicorn stops on a signal and then raises it again; by then there is still work to put in order."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _locked(data_dir: Path) -> Iterator[None]:
    """Two services over one data directory would run each other's jobs."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise OperationalError(
            "node.data-dir.unusable",
            f"the node's data directory cannot be used ({error.strerror or type(error).__name__})",
        ) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise OperationalError(
                "node.data-dir.in-use",
                "another service uses this data directory",
                remedy="stop it, or give this one a directory of its own",
            ) from None
        yield
    finally:
        os.close(descriptor)


def _listen(settings: Settings) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        return socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        raise OperationalError(
            "node.address.unusable",
            f"cannot listen on {settings.host} port {settings.port} ({getattr(error, 'strerror', None) or error})",
            remedy="choose another address or port",
        ) from None


def configure(application: Guard, settings: Settings) -> uvicorn.Config:
    """uvicorn's configuration; raises ``node.tls.unusable``.

    TLS is ours instead of uvicorn's, so that requests can be bound to their connections (docs/adr/0011).
    """
    return uvicorn.Config(
        application,
        host=settings.host,
        port=settings.port,
        http=_protocol(settings),
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=max(1, int(settings.shutdown_seconds)),
    )


def _protocol(settings: Settings) -> type[asyncio.Protocol] | Literal["h11"]:
    if settings.tls_certificate is None or settings.tls_key is None:
        return "h11"
    try:
        return https(server_context(settings.tls_certificate, settings.tls_key))
    except TlsError as error:
        raise OperationalError(
            "node.tls.unusable",
            f"certificate or key cannot be used ({error})",
            remedy="give PEM files that belong together, the key without a passphrase",
        ) from None
