# SPDX-License-Identifier: AGPL-3.0-or-later
"""A server's end of TLS under asyncio, in front of any protocol; what Python's own does, and the exporter.

::

    socket <- raw transport <-> Terminator (Session) <-> _Transport <-> the protocol within

The protocol within comes to life when the handshake is complete, and learns the :class:`Channel` then.

What is held for a peer is bounded in each direction. Inwards: where the protocol within pauses, nothing more is read
from the socket, so at most one read's ciphertext waits. Outwards: plaintext becomes ciphertext as the socket takes it,
so beside what the protocol within has written there are some records; it is paused beyond `HIGH_WATER`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, cast

from OpenSSL import SSL

from attestation.channel.session import RECORD, Channel, Session, TlsError

HANDSHAKE_SECONDS = 10.0
STALL_SECONDS = 60.0
"""A peer that takes none of what waits for it in this time is dropped."""

HIGH_WATER, LOW_WATER = 64 << 10, 16 << 10
MAX_UNSENT = 1 << 20
"""Ciphertext that a peer can make us owe it, by asking for new keys without reading, before it is dropped."""

_TURN = 1 << 20
"""Plaintext encrypted in one turn of the loop: others are waiting too."""


class Terminator(asyncio.Protocol):
    """One connection; see the module.

    Args:
        context: from :func:`attestation.channel.session.server_context`.
        within: makes the protocol within.
    """

    def __init__(self, context: SSL.Context, within: Callable[[Channel], asyncio.Protocol]) -> None:
        self._context, self._make, self._session = context, within, Session(context, server=True)
        self._raw: asyncio.Transport | None = None  # until it is made, and when it is lost
        self._within: asyncio.Protocol | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._turn: asyncio.Handle | None = None
        self._backlog: deque[memoryview] = deque()
        self._waiting = self._produced = 0
        self._taken: int | None = None  # at the last look, if anything was owed then
        self._takes = self._reading = True
        self._held = self._closing = self._ended = False

    # What the raw transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._raw = cast("asyncio.Transport", transport)  # other loops' transports are none by class
        self._timer = asyncio.get_running_loop().call_later(HANDSHAKE_SECONDS, self._raw.abort)

    def data_received(self, data: bytes) -> None:
        if not self._closing:
            self._session.feed(data)
            self._advance()

    def eof_received(self) -> bool:
        # Without a close_notify: whatever was still to come is lost, and what waits goes out (True: not yet closed).
        if self._within is None:
            return False
        self._within.eof_received()
        self.close()
        return True

    def pause_writing(self) -> None:
        self._takes = False

    def resume_writing(self) -> None:
        self._takes = True
        self._advance()

    def connection_lost(self, exc: Exception | None) -> None:
        self._raw, self._closing, self._ended = None, True, True
        for handle in (self._timer, self._turn):
            if handle is not None:
                handle.cancel()
        self._backlog.clear()
        if self._within is not None:
            self._within.connection_lost(exc)

    # What the transport of the protocol within calls.

    @property
    def is_closing(self) -> bool:
        return self._closing

    @property
    def is_reading(self) -> bool:
        return self._reading and not self._closing

    @property
    def waiting(self) -> int:
        """Bytes of plaintext that are not ciphertext yet."""
        return self._waiting

    def info(self, name: str, default: Any) -> Any:
        if name == "sslcontext":
            return self._context
        return default if self._raw is None else self._raw.get_extra_info(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._closing or not data:
            return
        piece = memoryview(bytes(data))
        self._backlog.append(piece)
        self._waiting += len(piece)
        self._advance(inwards=False)
        if self._waiting > HIGH_WATER and not self._held and self._within is not None:
            self._held = True
            self._within.pause_writing()

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        if not self._reading:
            self._reading = True
            self._later()

    def close(self) -> None:
        """What was written goes out, then close_notify."""
        if not self._closing:
            self._closing = True
            self._advance(inwards=False)

    def abort(self) -> None:
        self._closing = True
        if self._raw is not None:
            self._raw.abort()

    # The work.

    def _later(self) -> None:
        if self._turn is None and self._raw is not None:
            self._turn = asyncio.get_running_loop().call_soon(self._again)

    def _again(self) -> None:
        self._turn = None
        try:
            self._advance()
        except Exception:
            self.abort()  # as asyncio does when a protocol fails on data
            raise

    def _advance(self, *, inwards: bool = True) -> None:
        """Handshake, plaintext in, plaintext out, good-bye: as far as each can go now."""
        try:
            if self._within is None and not self._shake():
                return
            if inwards:
                self._deliver()
            self._flush()
        except TlsError:
            self._fail()

    def _shake(self) -> bool:
        complete = self._session.handshake()
        self._send()
        if not complete or self._raw is None:
            return False
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(STALL_SECONDS, self._watch)
        self._within = self._make(self._session.channel)
        self._within.connection_made(_Transport(self))
        return True

    def _deliver(self) -> None:
        within = self._within
        while within is not None and self._reading and not self._closing:
            data = self._session.read(RECORD)
            self._send()  # the protocol's own answers, to a request for new keys for instance
            if data is None:
                break
            if not data:
                within.eof_received()
                self.close()
                return
            within.data_received(data)
        if self._raw is not None and not self._closing:
            if self._reading:
                self._raw.resume_reading()
            else:
                self._raw.pause_reading()

    def _flush(self) -> None:
        left = _TURN
        while self._backlog and self._takes and left > 0 and not self._ended:
            piece = self._backlog.popleft()
            size = self._session.write(piece[:RECORD])
            if size < len(piece):
                self._backlog.appendleft(piece[size:])
            self._waiting -= size
            left -= size
            self._send()
        if self._backlog and self._takes:
            self._later()
        if self._held and self._waiting <= LOW_WATER and self._within is not None:
            self._held = False
            self._within.resume_writing()
        if self._closing and not self._backlog:
            self._end()

    def _send(self) -> None:
        ciphertext = self._session.outgoing()
        if not ciphertext or self._raw is None or self._raw.is_closing():
            return
        self._produced += len(ciphertext)
        self._raw.write(ciphertext)
        if self._raw.get_write_buffer_size() > MAX_UNSENT:
            self.abort()

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._session.close()
            self._send()
            if self._raw is not None:
                self._raw.close()

    def _fail(self) -> None:
        """The peer broke the protocol: tell it which alert, and be gone."""
        self._closing = self._ended = True
        self._backlog.clear()
        self._send()
        if self._raw is not None:
            self._raw.close()

    def _watch(self) -> None:
        if self._raw is None:
            return
        unsent = self._raw.get_write_buffer_size()
        taken = self._produced - unsent if unsent or self._waiting else None
        if taken is not None and taken == self._taken:
            self.abort()
            return
        self._taken = taken
        self._timer = asyncio.get_running_loop().call_later(STALL_SECONDS, self._watch)


class _Transport(asyncio.Transport):
    """What the protocol within sees: plaintext."""

    def __init__(self, terminator: Terminator) -> None:
        super().__init__()
        self._terminator = terminator

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._terminator.info(name, default)

    def is_closing(self) -> bool:
        return self._terminator.is_closing

    def close(self) -> None:
        self._terminator.close()

    def abort(self) -> None:
        self._terminator.abort()

    def is_reading(self) -> bool:
        return self._terminator.is_reading

    def pause_reading(self) -> None:
        self._terminator.pause_reading()

    def resume_reading(self) -> None:
        self._terminator.resume_reading()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._terminator.write(data)

    def get_write_buffer_size(self) -> int:
        return self._terminator.waiting

    def can_write_eof(self) -> bool:
        return False
