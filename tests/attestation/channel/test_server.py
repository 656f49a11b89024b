# SPDX-License-Identifier: AGPL-3.0-or-later
"""TLS in front of uvicorn: the exporter is the peer's, and what Python's own TLS carries is carried."""

from __future__ import annotations

import hashlib
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from OpenSSL import SSL

from attestation.channel import server as terminating
from attestation.channel.session import Session, TlsError, base_context, server_context
from tests.attestation.channel.https import SLAB, Reader, Server, get, serving
from tests.attestation.channel.pki import Authority
from tests.conftest import missing


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def server(ca: Authority) -> Iterator[Server]:
    with serving(ca) as found:
        yield found


class Peer:
    """A client by pyOpenSSL, which knows its exporter."""

    def __init__(self, port: int, newest: int = 0, context: SSL.Context | None = None) -> None:
        context = context or base_context(SSL.TLS_CLIENT_METHOD)
        context.set_max_proto_version(newest)
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.session = Session(context, server=False, host="localhost")

    def shake(self) -> None:
        while not self.session.handshake():
            self.move()
        self.socket.sendall(self.session.outgoing())

    def move(self) -> None:
        self.socket.sendall(self.session.outgoing())
        data = self.socket.recv(1 << 16)
        if not data:
            raise EOFError
        self.session.feed(data)

    def ask(self, request: bytes) -> bytes:
        self.session.write(request)
        self.socket.sendall(self.session.outgoing())
        answer = b""
        while not answer.endswith(b"}"):
            while (data := self.session.read(1 << 16)) is None:
                self.move()
            answer += data
        return answer

    def __enter__(self) -> Peer:
        self.shake()
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def test_both_ends_export_the_same_and_no_two_connections_do(server: Server) -> None:
    seen = set()
    for _ in range(3):
        with Peer(server.port) as peer:
            channel = peer.session.channel
            assert channel.version == "TLSv1.3" and channel.exporter is not None
            for _ in range(2):  # it stays that of the connection
                assert f'"{channel.exporter.hex()}"'.encode() in peer.ask(get("/channel"))
            seen.add(channel.exporter)
    assert len(seen) == 3


def test_the_exporter_is_what_the_openssl_command_exports(server: Server) -> None:
    """Another build of OpenSSL, and its own idea of what an exporter without context is."""
    if shutil.which("openssl") is None:
        missing("openssl", "apt-get install openssl")
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-CAfile", str(server.ca.file)]
    command += ["-tls1_3", "-ign_eof", "-keymatexport", "EXPORTER-Channel-Binding", "-keymatexportlen", "32"]
    request = get("/channel", more="connection: close\r\n")
    result = subprocess.run(command, input=request, capture_output=True, timeout=30)
    shown = re.search(rb"Keying material: ([0-9A-F]{64})", result.stdout)
    assert shown is not None, result.stderr
    assert b'"exporter": "' + shown[1].lower() + b'"' in result.stdout
    assert b"Verify return code: 0 (ok)" in result.stdout


def test_under_tls_1_2_there_is_no_exporter(server: Server) -> None:
    with server.connect(newest=ssl.TLSVersion.TLSv1_2) as connection:
        connection.sendall(get("/channel"))
        said = Reader(connection).json()
        assert (said["version"], said["exporter"], said["scheme"]) == ("TLSv1.2", None, "https")
    with Peer(server.port, SSL.TLS1_2_VERSION) as peer:
        assert peer.session.channel.exporter is None


def test_nobody_renegotiates(server: Server) -> None:
    with Peer(server.port, SSL.TLS1_2_VERSION, SSL.Context(SSL.TLS_CLIENT_METHOD)) as peer:
        assert peer.session.connection.renegotiate()
        with pytest.raises(TlsError, match="no renegotiation"):
            peer.shake()


def test_older_versions_are_refused(server: Server) -> None:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")
    peer = Peer(server.port, SSL.TLS1_1_VERSION, context)
    with pytest.raises(TlsError, match="protocol version"):
        peer.shake()
    peer.socket.close()


def test_http_1_1_is_chosen_and_the_end_is_said(server: Server) -> None:
    with server.connect() as connection:
        assert connection.selected_alpn_protocol() == "http/1.1"
        connection.sendall(get("/channel", more="connection: close\r\n"))
        reader = Reader(connection)
        assert reader.json()["version"] == "TLSv1.3"
        with pytest.raises(EOFError):  # not ssl.SSLEOFError, which is what a truncation gives
            reader.more()


def test_a_large_body_in_and_out(server: Server) -> None:
    with server.connect() as connection:
        size = 48
        connection.sendall(f"POST /digest HTTP/1.1\r\nhost: x\r\ncontent-length: {size << 20}\r\n\r\n".encode())
        for _ in range(size):
            connection.sendall(SLAB)
        reader = Reader(connection)
        assert reader.json()["digest"] == hashlib.sha256(SLAB * size).hexdigest()
        connection.sendall(get("/mib/48"))
        assert hashlib.sha256(reader.body()).digest() == hashlib.sha256(SLAB * 48).digest()


def test_a_slow_reader_is_waited_for_and_little_is_held_for_it(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    held = []
    sent = terminating.Terminator._send

    def watching(self: terminating.Terminator) -> None:
        sent(self)
        if self._raw is not None:
            held.append(self._raw.get_write_buffer_size())

    monkeypatch.setattr(terminating.Terminator, "_send", watching)
    with server.connect(receive=8192) as connection:
        connection.sendall(get("/mib/4"))
        reader, began = Reader(connection), time.monotonic()
        while len(reader.rest) < 1 << 20:
            reader.rest += connection.recv(4096)
            time.sleep(0.0005)
        assert reader.body() == SLAB * 4 and time.monotonic() - began > 0.1
    assert 0 < max(held) < 128 << 10


def test_others_are_served_while_one_does_not_read(server: Server) -> None:
    with server.connect(receive=8192) as stuck, server.connect() as lively:
        stuck.sendall(get("/mib/16"))
        for _ in range(5):
            lively.sendall(get("/channel"))
            assert Reader(lively).json()["version"] == "TLSv1.3"


def test_requests_in_a_row_without_waiting(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(b"".join(get(f"/{n}") for n in range(40)))
        reader = Reader(connection)
        assert [reader.json()["path"] for _ in range(40)] == [f"/{n}" for n in range(40)]


def test_a_byte_in_each_record(server: Server) -> None:
    with server.connect() as connection:
        for value in b"POST /digest HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc":
            connection.sendall(bytes([value]))
        assert Reader(connection).json()["digest"] == hashlib.sha256(b"abc").hexdigest()


def test_the_application_learns_of_a_client_that_is_gone(server: Server) -> None:
    connection = server.connect()
    connection.sendall(b"POST /digest HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc")
    connection.shutdown(socket.SHUT_RDWR)  # without a close_notify
    connection.close()
    assert server.application.ended.wait(10)


def test_a_client_that_says_good_bye_gets_what_was_owed(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(get("/channel"))
        assert Reader(connection).json()
        connection.unwrap().close()  # raises unless the server's close_notify comes


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", b"\x16\x03\x01\x40\x00" + bytes(300)])
def test_who_does_not_finish_a_handshake_is_dropped(
    ca: Authority, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(terminating, "HANDSHAKE_SECONDS", 0.3)
    with serving(ca) as server, socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
        raw.sendall(said)
        try:
            while raw.recv(4096):
                continue
        except ConnectionResetError:
            pass
        with server.connect() as connection:
            connection.sendall(get("/channel"))
            assert Reader(connection).json()


def test_who_takes_nothing_is_dropped(ca: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminating, "STALL_SECONDS", 0.3)
    with serving(ca) as server, server.connect(receive=8192) as connection:
        connection.sendall(get("/mib/32"))
        end = time.monotonic() + 10
        while server.server.server_state.connections or not server.server.server_state.total_requests:
            assert time.monotonic() < end
            time.sleep(0.02)
        with pytest.raises((ConnectionResetError, ssl.SSLError)):
            Reader(connection).body()


def test_who_makes_the_server_owe_too_much_is_dropped(ca: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminating, "MAX_UNSENT", 1 << 10)
    with serving(ca) as server, server.connect(receive=8192) as connection:
        connection.sendall(get("/mib/32"))
        with pytest.raises((ConnectionResetError, ssl.SSLError)):
            Reader(connection).body()


def test_a_server_stops_amid_a_handshake(ca: Authority) -> None:
    with serving(ca) as server:
        raw = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        end = time.monotonic() + 5
        while not server.server.server_state.connections and time.monotonic() < end:
            time.sleep(0.01)
        assert server.server.server_state.connections
        began = time.monotonic()
    assert time.monotonic() - began < 5
    raw.close()


def test_certificates_and_keys_that_cannot_be_used(ca: Authority, tmp_path: Path) -> None:
    good, other = ca.issue("localhost", label="good"), ca.issue("localhost", label="other")
    empty = tmp_path / "empty.pem"
    empty.write_bytes(b"")
    locked = tmp_path / "locked.pem"
    key = load_pem_private_key(good.key.read_bytes(), None)
    locked.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")))
    server_context(good.certificate, good.key)
    for certificate, secret in (
        (good.certificate, other.key),
        (good.certificate, locked),
        (good.certificate, tmp_path / "none"),
        (good.certificate, empty),
        (good.certificate, good.certificate),
        (empty, good.key),
        (tmp_path / "none", good.key),
    ):
        with pytest.raises(TlsError) as caught:
            server_context(certificate, secret)
        assert str(tmp_path) not in str(caught.value)
