# SPDX-License-Identifier: AGPL-3.0-or-later
"""The client's end of TLS: whom it believes. Python's own default is asked about the same servers."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import httpcore
import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from affidavit.channel import CHANNEL, ChannelStream, UntrustedError, client_context
from affidavit.errors import ClientError
from affidavit.transport import Transport
from attestation.channel.session import TlsError
from tests.attestation.channel.pki import DAY, Authority, Files, self_signed

ANSWER = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("trusted"))


@contextlib.contextmanager
def server(
    files: Files, answer: Callable[[ssl.SSLSocket], None], *, newest: ssl.TLSVersion | None = None
) -> Iterator[int]:
    """Python's own TLS, one connection after another; yields the port."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.certificate, files.key)
    if newest is not None:
        context.minimum_version = context.maximum_version = newest
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    raw, _ = listening.accept()
                except OSError:
                    return
                with contextlib.suppress(OSError), raw, context.wrap_socket(raw, server_side=True) as connection:
                    answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(20)


def once(connection: ssl.SSLSocket) -> None:
    connection.recv(65536)
    connection.sendall(ANSWER)
    connection.unwrap()


def ours(port: int, host: str, ca: Path | None) -> bool:
    """Whether our end believes this server to be ``host``; one that is believed answers too."""
    inner = httpcore.SyncBackend().connect_tcp("127.0.0.1", port, timeout=10)
    try:
        stream = ChannelStream(inner, client_context(ca), host, 10)
    except UntrustedError:
        return False
    stream.write(b"GET / HTTP/1.1\r\n\r\n", 10)
    assert stream.read(100, 10) == ANSWER and stream.read(100, 10) == b""
    stream.close()
    return True


def pythons(port: int, host: str, ca: Path | None) -> bool:
    context = ssl.create_default_context(cafile=ca)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        try:
            with context.wrap_socket(raw, server_hostname=host) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
                return connection.recv(100) == ANSWER
        except ssl.SSLCertVerificationError:
            return False


GOOD = [
    (("localhost",), "localhost"),
    (("LOCALHOST",), "localhost"),
    (("localhost",), "LocalHost"),
    (("127.0.0.1",), "127.0.0.1"),
    (("::1",), "::1"),
    (("a.example", "b.example"), "b.example"),
    (("*.example.org",), "a.example.org"),
]
BAD = [
    (("localhost",), "127.0.0.1"),
    (("127.0.0.1",), "localhost"),
    (("127.0.0.1",), "127.0.0.2"),
    (("a.example",), "b.example"),
    (("*.example.org",), "example.org"),
    (("*.example.org",), "a.b.example.org"),
    (("a.*.org",), "a.example.org"),
    (("*",), "localhost"),
]


@pytest.mark.parametrize(("names", "host"), GOOD)
def test_names_that_fit(ca: Authority, names: tuple[str, ...], host: str) -> None:
    with server(ca.issue(*names), once) as port:
        assert pythons(port, host, ca.file)
        assert ours(port, host, ca.file)


@pytest.mark.parametrize(("names", "host"), BAD)
def test_names_that_do_not(ca: Authority, names: tuple[str, ...], host: str) -> None:
    with server(ca.issue(*names), once) as port:
        assert not pythons(port, host, ca.file)
        assert not ours(port, host, ca.file)


def test_a_common_name_is_no_name(ca: Authority) -> None:
    """Stricter than Python, which falls back to it where there are no alternative names."""
    with server(ca.issue(common="localhost"), once) as port:
        assert pythons(port, "localhost", ca.file)
        assert not ours(port, "localhost", ca.file)


def test_certificates_that_are_not_believed(ca: Authority, tmp_path: Path) -> None:
    foreign = Authority(tmp_path, "foreign")
    bad = {
        "expired": ca.issue("localhost", label="expired", before=2 * DAY, after=-timedelta(minutes=1)),
        "not valid yet": ca.issue("localhost", label="early", before=-timedelta(minutes=5)),
        "not for servers": ca.issue("localhost", label="client", purpose=ExtendedKeyUsageOID.CLIENT_AUTH),
        "from a root that is not trusted": foreign.issue("localhost", label="strange"),
        "self-signed": self_signed(tmp_path, "localhost"),
    }
    for reason, files in bad.items():
        with server(files, once) as port:
            assert not pythons(port, "localhost", ca.file), reason
            with pytest.raises(ClientError) as caught, transport(port, ca.file) as asking:
                asking.request("GET", "/")
        assert caught.value.code == "client.tls.untrusted"
        assert reason in caught.value.message
    with server(ca.issue("localhost"), once) as port:
        assert not ours(port, "localhost", None)  # the well-known roots know nothing of this one
    own = self_signed(tmp_path, "localhost", label="pinned")
    with server(own, once) as port:
        assert ours(port, "localhost", own.certificate) == pythons(port, "localhost", own.certificate) is True


def transport(port: int, ca: Path, timeout: float = 10) -> Transport:
    return Transport(f"https://localhost:{port}", ca=ca, timeout=timeout, channel=True)


def test_the_name_counts_over_http_too(ca: Authority) -> None:
    with server(ca.issue("elsewhere.example"), once) as port, transport(port, ca.file) as asking:
        with pytest.raises(ClientError) as caught:
            asking.request("GET", "/")
        assert caught.value.code == "client.tls.untrusted" and "another host" in caught.value.message


def test_an_answer_names_its_channel(ca: Authority) -> None:
    for newest, version in ((ssl.TLSVersion.TLSv1_3, "TLSv1.3"), (ssl.TLSVersion.TLSv1_2, "TLSv1.2")):
        with server(ca.issue("localhost"), once, newest=newest) as port, transport(port, ca.file) as asking:
            first, second = asking.exchange("GET", "/"), asking.exchange("GET", "/")
        assert first.channel is not None and second.channel is not None and first.body == b"ok"
        assert first.channel.version == version
        assert (first.channel.exporter is None) == (version == "TLSv1.2")
        assert version == "TLSv1.2" or first.channel != second.channel  # two connections
    with server(ca.issue("localhost"), once) as port, Transport(f"https://localhost:{port}", ca=ca.file) as asking:
        assert asking.exchange("GET", "/").channel is None  # nobody asked to know


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2])
def test_a_connection_that_is_cut_gives_no_answer(ca: Authority, newest: ssl.TLSVersion) -> None:
    """Without Content-Length only a close_notify says that an answer is complete."""

    def cut(connection: ssl.SSLSocket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\npart")
        connection.shutdown(socket.SHUT_RDWR)

    def whole(connection: ssl.SSLSocket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        connection.unwrap()

    with server(ca.issue("localhost"), whole, newest=newest) as port, transport(port, ca.file) as asking:
        assert asking.request("GET", "/") == b"all of it"
    with (
        server(ca.issue("localhost"), cut, newest=newest) as port,
        transport(port, ca.file) as asking,
        pytest.raises(ClientError) as caught,
    ):
        asking.request("GET", "/")
    assert caught.value.code == "client.network.failed"


def test_a_node_that_drips_records_does_not_hold_its_client(ca: Authority) -> None:
    def drip(connection: ssl.SSLSocket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 60\r\n\r\n")
        for _ in range(60):
            time.sleep(0.1)
            connection.sendall(b"x")

    with server(ca.issue("localhost"), drip) as port, transport(port, ca.file, timeout=0.5) as asking:
        began = time.monotonic()
        with pytest.raises(ClientError) as caught:
            asking.request("GET", "/")
        assert caught.value.code == "client.network.failed" and time.monotonic() - began < 4


def test_a_server_without_a_handshake_does_not_hold_its_client(ca: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, transport(silent.getsockname()[1], ca.file, 0.4) as asking:
        began = time.monotonic()
        with pytest.raises(ClientError) as caught:
            asking.request("GET", "/")
        assert caught.value.code == "client.network.failed" and time.monotonic() - began < 4


def test_ca_files_that_hold_none(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_bytes(b"nothing")
    with pytest.raises(TlsError):
        client_context(empty)
    with pytest.raises(OSError, match="No such file"):
        client_context(tmp_path / "none.pem")
    for file in (empty, tmp_path / "none.pem"):
        with pytest.raises(ClientError) as caught:
            Transport("https://localhost", ca=file, channel=True)
        assert caught.value.code == "client.ca.unusable"


def test_what_a_stream_tells(ca: Authority) -> None:
    with server(ca.issue("localhost"), once) as port:
        inner = httpcore.SyncBackend().connect_tcp("127.0.0.1", port, timeout=10)
        stream = ChannelStream(inner, client_context(ca.file), "localhost", None)
        assert stream.get_extra_info(CHANNEL) is stream.channel
        assert stream.get_extra_info("ssl_object") is None  # so httpcore speaks HTTP/1.1
        assert stream.get_extra_info("server_addr") == ("127.0.0.1", port)
        stream.write(b"x" * 40_000)
        stream.close()
