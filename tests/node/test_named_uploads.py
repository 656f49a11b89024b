# SPDX-License-Identifier: AGPL-3.0-or-later
"""What was sent ahead is large, and many name it at a time: never all in memory, and there when it is needed."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from circuits import dump_circuit
from node.errors import NodeError, OperationalError
from node.node import OWN_FORMATS, Node
from node.plans import Layout
from node.request import EncryptedReference, Request
from node.service import Service
from node.settings import Settings
from node.submission import format_submission
from node.uploads import Incoming, Uploads
from tests.private.making import network

LAYOUT = Layout("lin8", "coefficient", 1, False, 0, 1)


def submission(ciphertexts: bytes, keys: bytes) -> bytes:
    payload = EncryptedReference(LAYOUT, ciphertexts, keys)
    return format_submission(Request(network().digest, secrets.token_bytes(32), payload))


@contextmanager
def service(folder: Path) -> Iterator[Service]:
    with Node(folder) as node:
        node.models.put(dump_circuit(network()), name="network")
        made = Service(node, Settings(folder))
        try:
            yield made
        finally:
            made.close()


def test_a_request_is_admitted_without_reading_what_it_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with service(tmp_path / "node") as made:
        uploads = made.node.uploads
        sent = [uploads.put(magic + bytes(1 << 16)) for magic in OWN_FORMATS]

        def get(self: Uploads, digest: bytes) -> bytes:
            raise AssertionError("a gigabyte in memory for each request that is admitted")

        monkeypatch.setattr(Uploads, "get", get)
        made.submit(submission(*sent))
        assert made.jobs.pending() == 1
        with pytest.raises(NodeError) as refusal:
            made.submit(submission(sent[0], bytes(32)))
        assert refusal.value.code == "request.upload.missing"
        (damaged,) = (tmp_path / "node/uploads").glob(f"*/{sent[1].hex()}")
        damaged.write_bytes(b"damaged")
        with pytest.raises(NodeError) as refusal:
            made.submit(submission(*sent))
        assert refusal.value.code == "request.upload.missing"


def test_one_upload_is_inspected_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once, most, whole = 0, 0, Incoming.read

    def read(self: Incoming, size: int = -1) -> bytes:
        nonlocal at_once, most
        if size >= 0:
            return whole(self, size)
        at_once += 1
        most = max(most, at_once)
        time.sleep(0.02)
        at_once -= 1
        return whole(self)

    monkeypatch.setattr(Incoming, "read", read)
    codes: list[str] = []

    def send(number: int) -> None:
        try:
            node.upload(b"\x0a" + bytes([number]) * 100)
        except NodeError as error:
            codes.append(error.code)

    with Node(tmp_path / "node") as node:
        threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert codes == ["fhe.tenseal.malformed"] * 4
    assert most == 1


def test_an_upload_does_not_wait_for_an_evaluation(tmp_path: Path) -> None:
    with Node(tmp_path / "node") as node:
        done = threading.Event()

        def send() -> None:
            with pytest.raises(NodeError):
                node.upload(b"\x0a not TenSEAL's")
            done.set()

        with node._pool()._worker():
            thread = threading.Thread(target=send)
            thread.start()
            assert done.wait(20), "it waits until somebody's evaluation ends"
        thread.join()


def test_what_a_queued_request_names_outlives_its_hour(tmp_path: Path) -> None:
    """An accepted request waits as long as the queue is; so does what it runs on, also after a restart."""

    def grow_old() -> None:
        for path in (tmp_path / "node/uploads").glob("*/*"):
            os.utime(path, (0, 0))

    with service(tmp_path / "node") as made:
        sent = [made.node.uploads.put(magic + bytes(64)) for magic in OWN_FORMATS]
        job = made.submit(submission(*sent))
        grow_old()
        made.node.uploads.put(b"another's", "another")
        for digest in sent:
            made.node.uploads.check(digest)
    with service(tmp_path / "node") as made:
        made.recover()
        grow_old()
        made.node.uploads.put(b"another's", "another")
        for digest in sent:
            made.node.uploads.check(digest)
        made.jobs.claim()
        made.fail(job, OperationalError("node.internal", "it failed"))
        grow_old()
        made.node.uploads.put(b"a third's", "third")
        for digest in sent:
            with pytest.raises(NodeError) as gone:
                made.node.uploads.check(digest)
            assert gone.value.code == "request.upload.missing"
