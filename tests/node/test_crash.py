# SPDX-License-Identifier: AGPL-3.0-or-later
"""A real server process is killed in the middle of its work; what it had acknowledged is answered afterwards."""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
import pytest

from circuits import dump_circuit
from node import Node
from node.jobs import JobStore
from node.settings import Settings
from tests.conftest import ROOT
from tests.node.making import trusting, wide_circuit
from verifier import Known, Opening, Verdict, verify
from verifier.keys import key_id

CIRCUIT = wide_circuit(width=512, depth=6)
BATCH = 1500


@contextlib.contextmanager
def server(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.node.server_process", str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")
        yield process, url
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(20)
        if process.stdout is not None:
            process.stdout.close()


def submissions(count: int) -> list[bytes]:
    rng = np.random.default_rng(3)
    opening = Opening({"x": rng.integers(-8, 8, (BATCH, 512))}).encode()
    encoded = base64.b64encode(opening).decode()
    model = CIRCUIT.digest.hex()
    return [
        json.dumps({"model": model, "nonce": secrets.token_hex(32), "opening": encoded}).encode() for _ in range(count)
    ]


def states(http: httpx.Client, urls: list[str]) -> list[str]:
    return [http.get(url).json()["state"] for url in urls]


def wait_for(http: httpx.Client, urls: list[str], wanted: str, *, all_of_them: bool) -> list[str]:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        found = states(http, urls)
        if (all if all_of_them else any)(state == wanted for state in found):
            return found
        time.sleep(0.02)
    raise AssertionError(f"never {wanted}: {states(http, urls)}")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_was_acknowledged_is_answered_after_a_restart(tmp_path: Path, number: signal.Signals) -> None:
    node = Node(tmp_path)
    node.models.put(dump_circuit(CIRCUIT))
    bodies = submissions(4)
    with server(tmp_path) as (process, url):
        with httpx.Client(base_url=url, timeout=30) as http:
            jobs = [http.post("/v1/inferences", content=body).raise_for_status().json() for body in bodies]
            urls = [job["status_url"] for job in jobs]
            wait_for(http, urls, "running", all_of_them=False)
        process.send_signal(number)
        code = process.wait(30)
        assert code == (-signal.SIGKILL if number == signal.SIGKILL else 0)
    # What lies on disk while no server runs: a fast one would be done before it could be asked.
    with contextlib.closing(JobStore(Settings(tmp_path).database, key_id(node.keys.signing))) as store:
        before = [found.state for job in jobs if (found := store.find(job["id"])) is not None]
    assert len(before) == len(jobs), "nothing that was acknowledged is lost"
    assert set(before) & {"queued", "running"}, "it was killed too late to show anything"
    if number == signal.SIGTERM:
        assert "done" in before, "an orderly end lets the running inference finish"
    with server(tmp_path) as (_, url), httpx.Client(base_url=url, timeout=30) as http:
        wait_for(http, urls, "done", all_of_them=True)
        for body, job in zip(bodies, jobs, strict=True):
            again = http.post("/v1/inferences", content=body).raise_for_status().json()
            assert again["id"] == job["id"], "and sending it again is still safe"
        affidavit = http.get(f"{urls[-1]}/affidavit").content
    nonce = bytes.fromhex(jobs[-1]["nonce"])
    opening = json.loads(bodies[-1])["opening"]
    sent = np.frombuffer(base64.b64decode(opening)[-BATCH * 512 :], dtype=np.int8).reshape(BATCH, 512)
    known = Known(CIRCUIT, {"x": (sent * 0.125).astype(np.float32)}, nonce)
    policy = trusting(node.keys.signing, assurance=("signed",))
    assert verify(affidavit, at=datetime.now(UTC), policy=policy, known=known).verdict is Verdict.ACCEPT
