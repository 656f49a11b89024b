# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whatever pauses whom, and however ciphertext is cut: nothing is lost, doubled, or delivered to who paused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL

from attestation.channel import server as terminating
from attestation.channel.server import Terminator
from attestation.channel.session import Channel, Session, TlsError, base_context, server_context
from tests.attestation.channel.pki import Authority

MAX_HELD = 128 << 10


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> SSL.Context:
    files = Authority(tmp_path_factory.mktemp("pki")).issue("localhost")
    return server_context(files.certificate, files.key)


class Raw(asyncio.Transport):
    """A socket that takes nothing until it is told to, and says so as asyncio's does."""

    def __init__(self) -> None:
        super().__init__()
        self.protocol: Terminator | None = None
        self.unsent = b""
        self.full = self.closed = self.aborted = self.paused = False

    def write(self, data: Any) -> None:
        assert not self.closed
        self.unsent += data
        if len(self.unsent) > 1 << 16 and not self.full and self.protocol is not None:
            self.full = True
            self.protocol.pause_writing()

    def take(self, size: int) -> bytes:
        taken, self.unsent = self.unsent[:size], self.unsent[size:]
        if self.full and len(self.unsent) <= 1 << 14 and self.protocol is not None:
            self.full = False
            self.protocol.resume_writing()
        return taken

    def get_write_buffer_size(self) -> int:
        return len(self.unsent)

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


class Within(asyncio.Protocol):
    """Takes what it gets, unless it paused."""

    def __init__(self) -> None:
        self.transport: Any = None
        self.got, self.paused, self.held, self.lost, self.ended = b"", False, False, False, False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        assert not self.paused and data
        self.got += data

    def eof_received(self) -> None:
        self.ended = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True

    def pause_writing(self) -> None:
        self.held = True

    def resume_writing(self) -> None:
        self.held = False


class Pair:
    """A client and a server with nothing between but what a test moves."""

    def __init__(self, context: SSL.Context) -> None:
        self.within, self.raw = Within(), Raw()
        self.channel: Channel | None = None
        self.server = Terminator(context, self.made)
        self.raw.protocol = self.server
        self.client = Session(base_context(SSL.TLS_CLIENT_METHOD), server=False, host="localhost")
        self.received, self.on_its_way = b"", b""
        self.server.connection_made(self.raw)

    def made(self, channel: Channel) -> Within:
        self.channel = channel
        return self.within

    def shake(self) -> None:
        while not self.client.handshake():
            self.server.data_received(self.client.outgoing())
            self.client.feed(self.raw.take(1 << 20))
        self.server.data_received(self.client.outgoing())
        assert self.channel == self.client.channel

    def client_writes(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self.client.write(view) :]
        self.on_its_way += self.client.outgoing()

    def moves_in(self, size: int) -> None:
        """As a loop does, unless reading is paused."""
        if not self.raw.paused and self.on_its_way:
            piece, self.on_its_way = self.on_its_way[:size], self.on_its_way[size:]
            self.server.data_received(piece)

    def moves_out(self, size: int) -> None:
        self.client.feed(self.raw.take(size))
        while data := self.client.read(1 << 16):
            self.received += data


def in_a_loop(run: Callable[[], Any]) -> None:
    async def body() -> None:
        result = run()
        if asyncio.iscoroutine(result):
            await result

    asyncio.run(body())


SIZES = st.sampled_from([1, 5, 100, 4096, 16384, 16385, 100_000])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["send", "in", "write", "out"]), SIZES),
        st.tuples(st.sampled_from(["pause", "resume", "turn"]), st.just(0)),
    ),
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_everything_arrives_in_order(context: SSL.Context, steps: list[tuple[str, int]]) -> None:
    async def run() -> None:
        pair = Pair(context)
        pair.shake()
        sent, written = b"", b""
        for number, (step, size) in enumerate(steps):
            data = bytes([number]) * size
            match step:
                case "send":
                    sent += data
                    pair.client_writes(data)
                case "in":
                    pair.moves_in(size)
                case "write" if not pair.within.held:
                    written += data
                    pair.within.transport.write(data)
                case "out":
                    pair.moves_out(size)
                case "pause":
                    pair.within.paused = True
                    pair.within.transport.pause_reading()
                case "resume":
                    pair.within.paused = False
                    pair.within.transport.resume_reading()
                case "turn":
                    await asyncio.sleep(0)
            assert len(pair.raw.unsent) < MAX_HELD
            assert pair.within.held <= (pair.within.transport.get_write_buffer_size() > terminating.LOW_WATER)
        pair.within.paused = False
        pair.within.transport.resume_reading()
        pair.within.transport.close()  # what was written still goes out; what comes is of no interest any more
        arrived = pair.within.got
        for _ in range(100):
            await asyncio.sleep(0)
            pair.moves_out(1 << 17)
        assert pair.received == written and sent.startswith(arrived)
        assert pair.client.read(1) == b"" and pair.raw.closed and not pair.raw.aborted
        pair.server.connection_lost(None)
        assert pair.within.lost

    in_a_loop(run)


@settings(max_examples=30, deadline=None)
@given(sizes=st.lists(SIZES, max_size=20), cuts=st.lists(SIZES, min_size=1, max_size=20))
def test_all_that_was_sent_is_delivered(context: SSL.Context, sizes: list[int], cuts: list[int]) -> None:
    async def run() -> None:
        pair = Pair(context)
        pair.shake()
        sent = b""
        for number, size in enumerate(sizes):
            data = bytes([number]) * size
            sent += data
            pair.client_writes(data)
        pair.client.close()
        pair.on_its_way += pair.client.outgoing()
        turn = 0
        while pair.on_its_way and not pair.raw.closed:
            pair.moves_in(max(cuts[turn % len(cuts)], 64))
            turn += 1
        assert pair.within.got == sent and pair.within.ended and pair.raw.closed
        pair.server.connection_lost(None)

    in_a_loop(run)


@settings(max_examples=100, deadline=None)
@given(noise=st.binary(min_size=1, max_size=600), after=st.booleans())
def test_noise_ends_a_connection_and_nothing_else(context: SSL.Context, noise: bytes, after: bool) -> None:
    async def run() -> None:
        pair = Pair(context)
        if after:
            pair.shake()
        # A record of another type than any, or a whole one that cannot be decrypted.
        pair.server.data_received(noise + b"\x17\x03\x03\x00\x20" + bytes(32) + b"\xff" * 20_000)
        assert pair.raw.closed and pair.within.got == b""
        before = pair.raw.unsent
        pair.server.data_received(b"more")
        pair.server.resume_writing()
        assert pair.raw.unsent == before
        pair.server.connection_lost(None)
        assert pair.within.lost == after
        if after:
            pair.within.transport.write(b"x")
            pair.within.transport.close()
            pair.within.transport.resume_reading()
            pair.client.feed(before)
            with pytest.raises(TlsError):  # the alert
                pair.client.read(1)

    in_a_loop(run)


def test_a_protocol_that_fails_on_what_waited_loses_its_connection(context: SSL.Context) -> None:
    async def run() -> None:
        failures: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, found: failures.append(found["exception"]))
        pair = Pair(context)
        pair.shake()
        pair.within.transport.pause_reading()
        pair.client_writes(b"x")
        pair.moves_in(1 << 16)

        def broken(data: bytes) -> None:
            raise ZeroDivisionError

        pair.within.data_received = broken  # type: ignore[method-assign]
        pair.within.transport.resume_reading()
        await asyncio.sleep(0)
        assert pair.raw.aborted and isinstance(failures[0], ZeroDivisionError)
        pair.server.connection_lost(None)

    in_a_loop(run)


def test_what_the_transport_within_says(context: SSL.Context) -> None:
    async def run() -> None:
        pair = Pair(context)
        pair.shake()
        transport = pair.within.transport
        assert transport.get_extra_info("sslcontext") is context and transport.get_extra_info("nothing", 7) == 7
        assert transport.is_reading() and not transport.is_closing() and not transport.can_write_eof()
        transport.abort()
        assert transport.is_closing() and not transport.is_reading() and pair.raw.aborted
        pair.server.connection_lost(None)
        assert transport.get_extra_info("peername", 3) == 3

    in_a_loop(run)
