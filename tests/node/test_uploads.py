# SPDX-License-Identifier: AGPL-3.0-or-later
"""Uploads over HTTP: larger than other bodies, written to disk as they come in, and gone if they do not."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import time
from pathlib import Path

import httpx
import pytest

from node.node import OWN_FORMATS, Node
from node.settings import Settings
from node.uploads import Uploads
from tests.node.making import assert_refused, prepare, serving

BODY = OWN_FORMATS[0] + bytes(range(256)) * 8192  # 2 MiB
HEAD = b"POST /v1/uploads HTTP/1.1\r\nhost: x\r\n"


def incoming(data: Path) -> list[Path]:
    folder = data / "uploads" / "incoming"
    return list(folder.iterdir()) if folder.exists() else []


def until_nothing_comes_in(data: Path) -> None:
    deadline = time.monotonic() + 5
    while incoming(data):
        assert time.monotonic() < deadline, "a half upload stays"
        time.sleep(0.01)


def test_larger_than_other_bodies(tmp_path: Path) -> None:
    prepare(tmp_path)
    settings = Settings(tmp_path, port=0, request_bytes=1 << 16, upload_bytes=len(BODY))
    with serving(settings) as found, httpx.Client(base_url=found.url) as http:
        assert_refused(http.post("/v1/inferences", content=bytes((1 << 16) + 1)), 413, "request.body.too-large")
        for sent in (BODY, iter([BODY[:1000], BODY[1000:]])):  # with a length, and in chunks
            answer = http.post("/v1/uploads", content=sent)
            assert answer.status_code == 201, answer.text
            assert answer.json() == {"sha256": hashlib.sha256(BODY).hexdigest(), "bytes": len(BODY)}
        assert incoming(tmp_path) == []


@pytest.mark.parametrize("chunked", [False, True])
def test_too_large(tmp_path: Path, chunked: bool) -> None:
    prepare(tmp_path)
    body = BODY + b"x"
    with serving(Settings(tmp_path, port=0, upload_bytes=len(BODY))) as found, httpx.Client(base_url=found.url) as http:
        answer = http.post("/v1/uploads", content=iter([body]) if chunked else body)
        assert_refused(answer, 413, "request.body.too-large")
        assert answer.headers["connection"] == "close"
        assert http.post("/v1/uploads", content=BODY).status_code == 201
        assert incoming(tmp_path) == []


def test_drips_and_broken_lines_leave_nothing(tmp_path: Path) -> None:
    prepare(tmp_path)
    settings = Settings(tmp_path, port=0, uploads=1, request_seconds=1.0)
    with serving(settings) as found, httpx.Client(base_url=found.url) as http:
        address = ("127.0.0.1", int(found.url.rsplit(":", 1)[1]))
        with socket.create_connection(address, 10) as slow:
            slow.sendall(HEAD + b"content-length: 100\r\n\r\n{")
            assert b"408" in slow.recv(4096).split(b"\r\n")[0]
        until_nothing_comes_in(tmp_path)
        with socket.create_connection(address, 10) as gone:
            gone.sendall(HEAD + b"content-length: 100\r\n\r\n{")
            deadline = time.monotonic() + 5
            while not incoming(tmp_path):
                assert time.monotonic() < deadline, "the upload is not written as it comes in"
                time.sleep(0.01)
            assert_refused(http.post("/v1/uploads", content=BODY), 503, "node.busy")
        until_nothing_comes_in(tmp_path)
        assert http.post("/v1/uploads", content=BODY).status_code == 201


def test_halves_of_an_earlier_process_are_forgotten(tmp_path: Path) -> None:
    prepare(tmp_path)
    left = tmp_path / "uploads" / "incoming" / "half"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    with serving(Settings(tmp_path, port=0)):
        assert not left.exists()


def test_a_node_beside_the_service_leaves_what_is_coming_in_alone(tmp_path: Path) -> None:
    """`affidavit run` makes a node on the same folder."""
    with Node(tmp_path) as one, one.uploads.begin() as coming:
        coming.write(BODY)
        with Node(tmp_path):
            pass
        assert one.keep(coming, "client") == hashlib.sha256(BODY).digest()


def test_the_folders_are_the_nodes_alone(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path / "uploads")
    uploads.put(b"x")
    folders = [tmp_path / "uploads", *(path for path in (tmp_path / "uploads").iterdir())]
    assert len(folders) == 3
    assert {folder.stat().st_mode & 0o777 for folder in folders} == {0o700}


def test_what_was_kept_survives_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry of the file in its folder, and that of a client's new folder in the one above."""
    forced: list[Path] = []
    monkeypatch.setattr("node.uploads.sync_directory", forced.append)
    uploads = Uploads(tmp_path / "uploads")
    digest = uploads.put(b"x")
    (path,) = (tmp_path / "uploads").glob(f"*/{digest.hex()}")
    assert forced == [path.parent, tmp_path / "uploads"]


def test_a_client_that_drips_leaves_places_to_others(tmp_path: Path) -> None:
    prepare(tmp_path)
    tokens = ["the-token-of-one-client", "the-token-of-another-one"]
    (tmp_path / "tokens").write_text("\n".join(tokens) + "\n")
    settings = Settings(tmp_path, port=0, uploads=4, token_file=tmp_path / "tokens")
    with serving(settings) as found, httpx.Client(base_url=found.url) as http, contextlib.ExitStack() as dripping:
        address = ("127.0.0.1", int(found.url.rsplit(":", 1)[1]))
        for _ in range(3):
            one = dripping.enter_context(socket.create_connection(address, 10))
            one.sendall(HEAD + f"authorization: Bearer {tokens[0]}\r\ncontent-length: 100\r\n\r\n{{".encode())
        deadline = time.monotonic() + 5
        while len(incoming(tmp_path)) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.01)

        def send(token: str) -> httpx.Response:
            return http.post("/v1/uploads", content=BODY, headers={"authorization": f"Bearer {token}"})

        assert_refused(send(tokens[0]), 503, "node.busy")
        assert send(tokens[1]).status_code == 201
        dripping.close()
        until_nothing_comes_in(tmp_path)
        assert send(tokens[0]).status_code == 201
