# SPDX-License-Identifier: AGPL-3.0-or-later
"""What clients send ahead: bounded, forgotten in time, and a share for each client, told apart by token or address."""

from __future__ import annotations

import hashlib

import httpx
import pytest

from node.errors import MalformedError, NodeError, OperationalError
from node.guard import _address
from node.settings import Settings
from node.uploads import Uploads
from tests.node.making import serving


def test_uploads_are_bounded_and_forgotten(tmp_path):
    now = [1e9]
    uploads = Uploads(tmp_path / "uploads", seconds=60, total=400, clock=lambda: now[0])
    digest = uploads.put(b"a" * 60)
    assert uploads.put(b"a" * 60) == digest and uploads.get(digest) == b"a" * 60
    with pytest.raises(MalformedError) as empty:
        uploads.put(b"")
    assert empty.value.code == "request.upload.malformed"
    now[0] = 1e12
    uploads.put(b"b" * 60)
    with pytest.raises(NodeError) as gone:
        uploads.get(digest)
    assert gone.value.code == "request.upload.missing"
    (path,) = (tmp_path / "uploads").glob(f"*/{uploads.put(b'b' * 60).hex()}")
    path.write_bytes(b"damaged")
    with pytest.raises(NodeError) as damaged:
        uploads.get(bytes.fromhex(path.name))
    assert damaged.value.code == "request.upload.missing"
    assert uploads.get(uploads.put(b"b" * 60)) == b"b" * 60


def test_a_client_fills_its_own_share_and_no_other(tmp_path):
    now = [1e9]
    uploads = Uploads(tmp_path / "uploads", seconds=60, total=400, clock=lambda: now[0])

    def code(data: bytes, client: str) -> str:
        try:
            uploads.put(data, client)
        except NodeError as error:
            return error.code
        return ""

    assert code(b"a" * 60, "greedy") == "" and code(b"b" * 60, "greedy") == "node.uploads.quota"
    assert code(b"a" * 60, "greedy") == ""  # the same again takes no more
    assert code(b"a" * 60, "another") == "" and code(b"c" * 101, "another") == "node.uploads.quota"
    for number in range(3):
        assert code(bytes([number]) * 90, f"client {number}") == ""
    assert code(b"d" * 30, "another") == "node.uploads.full"  # within its share; but all of the room is taken
    digest = hashlib.sha256(b"\x02" * 90).digest()
    assert uploads.get(digest) == b"\x02" * 90  # whoever knows what was sent may name it
    now[0] = 1e12
    assert code(b"b" * 60, "greedy") == ""
    empty = {own.name for own in (tmp_path / "uploads").iterdir() if not any(own.iterdir())}
    assert empty == {"incoming"}


def test_a_client_may_not_send_thousands_of_small_things_either(tmp_path, monkeypatch):
    monkeypatch.setattr("node.uploads.MAX_UPLOADS", 8)
    uploads = Uploads(tmp_path / "uploads")
    for number in range(2):
        uploads.put(bytes([number]), "greedy")
    with pytest.raises(OperationalError) as refusal:
        uploads.put(b"\xff", "greedy")
    assert refusal.value.code == "node.uploads.quota"
    uploads.put(b"\xff", "another")


def test_over_http_clients_are_told_apart_by_their_tokens(tmp_path, monkeypatch):
    monkeypatch.setattr("node.uploads.MAX_TOTAL_BYTES", 4000)
    tokens = ["a-token-of-the-first-client", "a-token-of-the-second-client"]
    (tmp_path / "tokens").write_text("\n".join(tokens) + "\n")
    settings = Settings(tmp_path, port=0, token_file=tmp_path / "tokens", upload_bytes=2000, request_bytes=1500)
    with serving(settings) as served, httpx.Client(base_url=served.url) as client:

        def send(size: int, token: str, path: str = "/v1/uploads") -> tuple[int, str]:
            body = b"AFFFHEC1" + bytes([size % 256]) * (size - 8)
            answer = client.post(path, content=body, headers={"authorization": f"Bearer {token}"})
            if answer.status_code == 429:
                assert int(answer.headers["retry-after"]) > 0
            return answer.status_code, answer.json().get("code", "")

        assert send(900, tokens[0]) == (201, "")
        assert send(901, tokens[0]) == (429, "node.uploads.quota")
        assert send(900, tokens[1]) == (201, "")
        assert send(100, "neither-of-the-two-tokens") == (401, "request.token.wrong")
        assert send(2001, tokens[1]) == (413, "request.body.too-large")
        assert send(1501, tokens[1], "/v1/inferences") == (413, "request.body.too-large")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("2001:db8::1", "2001:db8::2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::1", True),
        ("testclient", "testclient", True),
    ],
)
def test_without_tokens_clients_are_told_apart_by_address(one, other, same):
    assert (_address({"client": (one, 1)}) == _address({"client": (other, 2)})) is same
    assert _address({"client": None}) == _address({})
