# SPDX-License-Identifier: AGPL-3.0-or-later
"""A bound on each whole exchange, whichever way the other side draws it out.

httpx bounds every single read and write, so a node that sends one byte now and then, in its head or its body,
holds its client for ever. Here every read and write of an exchange draws on one allowance:

::

    seconds that an exchange may take  =  timeout  +  bytes that came or went / SLOWEST

Bytes buy time, so a big file over a slow line still comes through, and dripping buys next to none. What bounds
the size bounds the whole: an answer of at most ``limit`` bytes ends within about ``timeout + limit / SLOWEST``.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import httpcore
import httpx
from OpenSSL import SSL

from affidavit.channel import ChannelStream, client_context
from attestation.channel.session import TlsError

SLOWEST = 16 << 10
"""Bytes per second of the slowest line that is put up with."""

_PIECE = 16 << 10


class Allowance(threading.local):
    """The time that the exchange of this thread has left; a client may be used by several threads."""

    def __init__(self) -> None:
        self._until = float("inf")

    def begin(self, seconds: float) -> None:
        """A new exchange: forget the last one."""
        self._until = time.monotonic() + seconds

    def moved(self, size: int) -> None:
        """That many bytes came or went."""
        self._until += size / SLOWEST

    def left(self, timeout: float | None) -> float:
        """The time for the next step. Raises ``httpcore.ReadTimeout`` when none is left."""
        remaining = self._until - time.monotonic()
        if remaining <= 0:
            raise httpcore.ReadTimeout("the exchange takes too long")
        return remaining if timeout is None else min(timeout, remaining)


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream, allowance: Allowance, channel: SSL.Context | None = None) -> None:
        self._inner, self._allowance, self._channel = inner, allowance, channel

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = self._inner.read(max_bytes, self._allowance.left(timeout))
        self._allowance.moved(len(data))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        # In pieces: below, the timeout is that of each single send.
        for start in range(0, len(buffer), _PIECE):
            piece = buffer[start : start + _PIECE]
            self._inner.write(piece, self._allowance.left(timeout))
            self._allowance.moved(len(piece))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = self._allowance.left(timeout)
        if self._channel is None:
            secured = self._inner.start_tls(ssl_context, server_hostname, left)
        elif server_hostname is None:
            raise httpcore.ConnectError("whose certificate?")
        else:
            secured = ChannelStream(self._inner, self._channel, server_hostname, left)
        return _Stream(secured, self._allowance)

    def get_extra_info(self, info: str) -> object:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.SyncBackend):
    def __init__(self, allowance: Allowance, channel: SSL.Context | None) -> None:
        self._allowance, self._channel = allowance, channel

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        inner = super().connect_tcp(host, port, self._allowance.left(timeout), local_address, socket_options)
        return _Stream(inner, self._allowance, self._channel)


class BoundedTransport(httpx.HTTPTransport):
    """httpx's transport over connections that draw on an allowance.

    Args:
        ca: PEM file with the CAs to believe; by default the well-known ones.
        seconds: for each exchange, before what its bytes buy.
        channel: whether its connections know their exporters (:mod:`affidavit.channel`).

    Raises:
        OSError, TlsError: the file cannot be read, or holds no certificate (:func:`unusable` says so).
    """

    def __init__(self, *, ca: Path | str | None, seconds: float, channel: bool = False) -> None:
        self._seconds, self._allowance = seconds, Allowance()
        verify = httpx.create_ssl_context(trust_env=False) if ca is None else ssl.create_default_context(cafile=str(ca))
        knowing = client_context(ca) if channel else None
        super().__init__(verify=verify, trust_env=False)
        # httpx takes no backend; its pool is replaced before anything is connected.
        self._pool = httpcore.ConnectionPool(ssl_context=verify, network_backend=_Backend(self._allowance, knowing))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One exchange; reading its body draws on the same allowance."""
        self._allowance.begin(self._seconds)
        return super().handle_request(request)


def unusable(error: OSError | TlsError) -> str:
    """Why a CA file was of no use, without its path."""
    reason = str(error) if isinstance(error, TlsError) else error.strerror or type(error).__name__
    return f"the CA file cannot be used ({reason})"
