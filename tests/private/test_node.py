# SPDX-License-Identifier: AGPL-3.0-or-later
"""The node's side: uploads, requests, hostile bytes, and that no secret key ever is in its process."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import secrets
from pathlib import Path

import httpx
import numpy as np
import pytest

from affidavit.client import Client
from affidavit.errors import ClientError
from affidavit.private import PrivateSession
from circuits import dump_circuit
from fhe.process import Worker
from node.errors import MalformedError, NodeError
from node.keys import NodeKeys
from node.models import ModelStore
from node.plans import Layout, Plans
from node.request import EncryptedReference, Request
from node.submission import format_submission, parse_submission
from tests.conftest import ROOT
from tests.import_graph import imports_of, read_sources
from tests.private.making import blob_of, claim_of, expected, inputs, network, policy, server
from verifier.policy import Policy

LAYOUT = Layout("lin8", "coefficient", 1, False, 0, 1)


def reference(node, session, question) -> EncryptedReference:
    return EncryptedReference(
        session.layout, node.uploads.put(question.ciphertexts), node.uploads.put(session.evaluation_keys)
    )


def test_a_submission_is_read_as_it_was_written():
    request = Request(bytes(32), bytes(range(32)), EncryptedReference(LAYOUT, bytes(32), b"\x01" * 32))
    assert parse_submission(format_submission(request)) == request


_WRONG: list[object] = [
    None,
    {},
    {**LAYOUT.as_json(), "more": 1},
    {**LAYOUT.as_json(), "preset": 5},
    {**LAYOUT.as_json(), "samples": 0},
    {**LAYOUT.as_json(), "samples": True},
    {**LAYOUT.as_json(), "last": 0},
    {**LAYOUT.as_json(), "first": -1},
    {**LAYOUT.as_json(), "protected": 1},
    {**LAYOUT.as_json(), "magnitudes": [0]},
    {**LAYOUT.as_json(), "magnitudes": [1] * 17},
    {**LAYOUT.as_json(), "magnitudes": {}},
]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"encrypted": []}, "request.encrypted.malformed"),
        ({"encrypted": {"layout": LAYOUT.as_json(), "keys": "00" * 32}}, "request.encrypted.malformed"),
        (
            {"encrypted": {"layout": LAYOUT.as_json(), "keys": "00" * 32, "ciphertexts": 5}},
            "request.encrypted.malformed",
        ),
        ({"sealed": "AAAA"}, "request.payload.ambiguous"),
        ({"prove": True}, "request.prove.encrypted"),
        *(
            ({"encrypted": {"layout": layout, "keys": "00" * 32, "ciphertexts": "00" * 32}}, "request.layout.malformed")
            for layout in _WRONG
        ),
    ],
)
def test_malformed_submissions(change, code):
    request = Request(bytes(32), bytes(32), EncryptedReference(LAYOUT, bytes(32), bytes(32)))
    body = {**json.loads(format_submission(request)), **change}
    with pytest.raises(MalformedError) as refusal:
        parse_submission(json.dumps(body).encode())
    assert refusal.value.code == code


def run(node, request: bytes, keys: bytes, layout: Layout = LAYOUT) -> str:
    """The code with which the node refuses; empty where it answers."""
    payload = EncryptedReference(layout, node.uploads.put(request), node.uploads.put(keys))
    try:
        node.run(Request(network().digest, secrets.token_bytes(32), payload))
    except NodeError as error:
        return error.code
    return ""


def test_hostile_bytes_are_typed_errors_and_the_node_answers_on(node, session, answered):
    question, _ = answered
    good, keys = question.ciphertexts, session.evaluation_keys
    assert run(node, good, keys) == ""
    transparent = good[:40] + b"".join(
        good[40:][i : i + len(good[40:]) // 2] if i == 0 else bytes(len(good[40:]) // 2)
        for i in (0, len(good[40:]) // 2)
    )
    for request, given, code in (
        (b"x", keys, "fhe.ciphertext.length"),
        (good[:-1], keys, "fhe.ciphertext.length"),
        (b"X" + good[1:], keys, "fhe.ciphertext.magic"),
        (good[:40] + b"\xff" * (len(good) - 40), keys, "fhe.residue.range"),
        (transparent, keys, "fhe.ciphertext.transparent"),
        (good, b"AFFFHEK1", "fhe.keys.length"),
        (good, good, "fhe.keys.magic"),
    ):
        assert run(node, request, given) == code
    other = PrivateSession(network(), last=1, preset="lin6-public")
    elsewhere = other.ask(inputs(), policy=policy(node)).ciphertexts
    assert run(node, elsewhere, keys) == "fhe.request.mismatch"
    assert run(node, good, other.evaluation_keys) == "fhe.keys.preset-mismatch"
    assert run(node, good, keys) == ""


def test_layouts_that_do_not_fit_are_refused_before_anything_runs(node, session, answered):
    question, _ = answered
    payload = reference(node, session, question)
    for layout, code in (
        (Layout("none", "coefficient", 1, False, 0, 1), "fhe.preset.unknown"),
        (Layout("lin8", "columns", 1, False, 0, 1), "fhe.plan.packing"),
        (Layout("lin8", "coefficient", 1, False, 0, 3), "fhe.plan.packing"),
        (Layout("lin8", "coefficient", 1, False, 0, 99), "fhe.network.ports"),
        (Layout("lin6-public", "coefficient", 1, True, 0, 1), "fhe.privacy.no-room"),
        (Layout("mlp1", "diagonals", 1, False, 0, 3, (5,)), "fhe.plan.spec"),
    ):
        request = Request(network().digest, bytes(32), EncryptedReference(layout, payload.ciphertexts, payload.keys))
        with pytest.raises(NodeError) as refusal:
            node.admit(request)
        assert refusal.value.code == code, layout


def test_what_was_not_sent_cannot_be_named(node):
    request = Request(network().digest, bytes(32), EncryptedReference(LAYOUT, bytes(32), bytes(32)))
    with pytest.raises(NodeError) as refusal:
        node.admit(request)
    assert refusal.value.code == "request.upload.missing"


def test_plans_are_kept_and_trimmed():
    plans = Plans()
    layouts = [Layout("lin8", "coefficient", samples, False, 0, 1) for samples in range(1, 11)]
    first = plans.get(network(), layouts[0])
    assert plans.get(network(), layouts[0]) is first
    for layout in layouts[1:]:
        plans.get(network(), layout)
    assert plans.get(network(), layouts[0]) is not first


def test_the_nodes_code_knows_nothing_of_secret_keys():
    """Neither keys nor decryption can be imported from anything that the node's process loads."""
    sources = read_sources(ROOT)
    seen, waiting = set(), [name for name in sources if name == "node" or name.startswith("node.")]
    while waiting:
        module = waiting.pop()
        if module in seen or module not in sources:
            continue
        seen.add(module)
        for found in imports_of(module, sources):
            if found.runs and not found.target.startswith("fhe.worker."):
                parts = found.target.split(".")
                waiting.extend(".".join(parts[:length]) for length in range(1, len(parts) + 1))
    assert "fhe.pool" in seen and "node.stages.evaluate" in seen
    assert {"fhe.client", "fhe.keyfile", "affidavit.private.session"}.isdisjoint(seen)


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    found = [pid]
    for one in found:
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            found += [int(child) for child in children.read_text().split()]
    return found


def in_memory(pid: int, needles: list[bytes]) -> set[bytes]:
    """Which of these bytes stand somewhere in a process's writable memory."""
    found = set()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            match = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if match is None:
                continue
            start, end = (int(part, 16) for part in match.groups())
            with contextlib.suppress(OSError, OverflowError, ValueError):
                memory.seek(start)
                content = memory.read(end - start)
                found |= {needle for needle in needles if needle in content}
    return found


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs Linux's /proc to look into a process's memory")
def test_over_http_and_no_secret_in_the_nodes_memory(tmp_path):
    """A real server: right answer, keys sent once, and neither the key nor the input in any of its processes."""
    data = tmp_path / "node"
    store = data / "models"
    data.mkdir(mode=0o700)
    ModelStore(store).put(dump_circuit(network()), name="network")
    trusted = frozenset({NodeKeys.open(data).public.signing})
    demanded = Policy(name="test", assurance=("signed", "private"), nodes=trusted)
    with server(data) as (process, url), Client(url, policy=demanded) as client:
        session = PrivateSession(network(), last=1, preset="lin8")
        answer = session.infer(client, inputs())
        np.testing.assert_array_equal(answer.outputs["y"], expected(inputs()))
        with pytest.raises(ClientError) as refusal:
            client.upload(b"")
        assert refusal.value.code == "request.upload.malformed"
        body = format_submission(session.ask(inputs(), policy=demanded).request)
        refused = httpx.post(f"{url}/v1/inferences", content=body).json()
        assert refused["code"] == "request.upload.missing"  # its ciphertexts were not sent

        secret = np.frombuffer(session._open().export_secret(), "<u8")
        needles = [secret[at : at + 8].tobytes() for at in (0, 8, 1000, len(secret) - 8)]
        question = session.ask(inputs(), policy=demanded)
        client.upload(question.ciphertexts)
        client.exchange_unverified(question.request)
        processes = family(process.pid)
        assert len(processes) > 1, "no worker runs"
        for pid in processes:
            assert in_memory(pid, needles) == set()
        marker = question.request.nonce.hex().encode()
        assert any(in_memory(pid, [marker]) for pid in processes), "the search finds nothing at all"
        kept = b"".join(path.read_bytes() for path in data.rglob("*") if path.is_file())
        assert not any(needle in kept for needle in needles)


def test_a_worker_that_lies_cannot_have_other_digests_signed(node, session, answered, monkeypatch):
    """The receipt names what came in and what goes out, as this process digests it."""
    question, _ = answered
    honest = Worker.run

    def lying(self, *job):
        ok, details, answer = honest(self, *job)
        lies = dict.fromkeys(("interface", "keys", "request", "answer"), "ab" * 32)
        return [ok, json.dumps(json.loads(details) | lies).encode(), answer]

    monkeypatch.setattr(Worker, "run", lying)
    made = node.run(Request(network().digest, secrets.token_bytes(32), reference(node, session, question)))
    claim = claim_of(made.affidavit)
    assert claim.inputs.request == hashlib.sha256(question.ciphertexts).digest()
    assert claim.inputs.keys == hashlib.sha256(session.evaluation_keys).digest()
    assert claim.inputs.interface == session.plan.interface.digest
    assert claim.answer == hashlib.sha256(blob_of(made.affidavit, "output")).digest()
