# SPDX-License-Identifier: AGPL-3.0-or-later
"""The SDK against a real node on loopback: an answer is a verified answer, and everything else an exception."""

from __future__ import annotations

import ipaddress
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

import affidavit
import circuits
from affidavit import Client, ClientError, LocalClient, NotAccepted
from affidavit.client import as_policy
from affidavit.exchange import ask, believe
from affidavit.identity import check_identity
from affidavit.wire import Job
from attestation.simulated import SimulatedEvidence
from circuits import dump_circuit, encode_inputs, evaluate
from node import Node, NodeError
from node.jobs import JobStore
from node.settings import Settings
from node.stages.unseal import Unseal, Unsealed
from tests.conftest import ROOT
from tests.node.making import Running, everything_below, inputs, serving, small_circuit, trusting
from verifier import Verdict, read_affidavit
from verifier.policy import DEFAULT_POLICY, Policy

CIRCUIT = small_circuit()
EXPECTED = evaluate(CIRCUIT, encode_inputs(CIRCUIT, inputs()))[-1] * 0.125


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("node")
    Node(folder).models.put(dump_circuit(CIRCUIT), name="small")
    with serving(Settings(folder, port=0, threads=1)) as found:
        yield found


@pytest.fixture(scope="module")
def policy(served: Running) -> Policy:
    return trusting(Node(served.settings.data_dir).keys.signing)


@pytest.fixture
def client(served: Running, policy: Policy) -> Iterator[Client]:
    with Client(served.url, policy=policy, patience=20) as client:
        yield client


def refusal(call: Any) -> ClientError:
    with pytest.raises(ClientError) as caught:
        call()
    return caught.value


@pytest.mark.parametrize("seal", [False, True])
def test_an_answer_is_a_verified_answer(client: Client, seal: bool) -> None:
    answer = client.infer(CIRCUIT, inputs(), seal=seal)
    np.testing.assert_array_equal(answer.outputs["y"], EXPECTED)
    assert answer.result.verdict is Verdict.ACCEPT
    assert answer.result.ledger.reached("rechecked")
    parsed = read_affidavit(answer.affidavit)
    assert parsed.receipt.nonce == answer.nonce and parsed.receipt.salted == seal
    assert set(parsed.roles) == ({"trace"} if seal else {"trace", "output"})
    assert len(answer.openings) == (2 if seal else 0)


def test_a_sealed_exchange_leaves_nothing_in_clear(client: Client, served: Running) -> None:
    answer = client.infer(CIRCUIT, inputs(64, seed=99), seal=True)
    disk = everything_below(served.settings.data_dir) + answer.affidavit
    for opening in answer.openings:
        assert opening.salt not in disk
        for array in opening.tensors.values():
            for width in (1, 2, 4, 8):
                assert array.astype(f"<i{width}").tobytes()[:48] not in disk


def test_the_model_may_be_a_file(client: Client, tmp_path: Path) -> None:
    (tmp_path / "small.circuit").write_bytes(dump_circuit(CIRCUIT))
    answer = client.infer(tmp_path / "small.circuit", inputs(), embed_circuit=True, embed_input=True)
    assert set(read_affidavit(answer.affidavit).roles) == {"trace", "output", "circuit", "input"}
    assert refusal(lambda: client.infer(tmp_path / "none", inputs())).code == "client.model.unreadable"
    assert client.fetch_circuit(CIRCUIT.digest) == CIRCUIT


def test_the_default_policy_trusts_nobody(served: Running) -> None:
    assert as_policy(None) is DEFAULT_POLICY
    with Client(served.url, policy=None) as client:
        error = refusal(lambda: client.infer(CIRCUIT, inputs()))
        assert isinstance(error, NotAccepted)
        assert error.result.verdict is Verdict.UNVERIFIABLE and error.result.answer is None
        assert read_affidavit(error.affidavit).receipt.salted is False
        assert refusal(lambda: client.infer(CIRCUIT, inputs(), seal=True)).code == "client.keys.untrusted"


def test_another_node_is_rejected(served: Running) -> None:
    with Client(served.url, policy=trusting(b"\x01" * 32)) as client:
        error = refusal(lambda: client.infer(CIRCUIT, inputs()))
        assert isinstance(error, NotAccepted)
        assert (error.result.verdict, error.code) == (Verdict.REJECT, "receipt.signer.not-allowed")
        assert refusal(client.keys).code == "client.keys.not-allowed"


def test_a_policy_as_a_file(served: Running, policy: Policy) -> None:
    (key,) = policy.nodes
    text = f"""
format = "policy@v1"
profile = "production"
[require]
assurance = ["signed"]
[keys]
nodes = ["{key.hex()}"]
"""
    with Client(served.url, policy=text.encode()) as client:
        answer = client.infer(CIRCUIT, inputs())
        assert read_affidavit(answer.affidavit).receipt.policy == client.policy.id != bytes(32)


def test_a_policy_cannot_switch_off_what_the_client_knows(served: Running, policy: Policy) -> None:
    lax = replace(policy, require_input=False, require_nonce=False, require_model=False, assurance=("signed",))
    with Client(served.url, policy=lax) as client:
        question = client.prepare(CIRCUIT, inputs())
        other = client.prepare(CIRCUIT, inputs(seed=8))
        job = client.wait(client.submit(other))
        affidavit_, _ = client.fetch_unverified(job)
        error = refusal(lambda: client.believe(question, affidavit_))
        assert isinstance(error, NotAccepted) and error.result.verdict is Verdict.REJECT
        assert client.believe(other, affidavit_).outputs


def test_the_clock_is_the_clients(served: Running, policy: Policy) -> None:
    def past() -> datetime:
        return datetime.now(UTC) - timedelta(days=1)

    with Client(served.url, policy=policy, clock=past) as client:
        assert refusal(lambda: client.infer(CIRCUIT, inputs())).code == "receipt.time.future"


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ({"x": np.full((1, 4), np.nan, np.float32)}, "input.not-finite"),
        ({"x": np.zeros((1, 5), np.float32)}, "input.shape"),
        ({"x": np.zeros((1, 4), np.float64)}, "input.dtype"),
        ({"y": np.zeros((1, 4), np.float32)}, "input.missing"),
    ],
)
def test_bad_inputs_never_leave_the_client(client: Client, bad: Mapping[str, Any], code: str) -> None:
    with pytest.raises(circuits.CircuitError) as caught:
        client.infer(CIRCUIT, bad)
    assert caught.value.code == code


def test_the_nodes_refusals_keep_their_codes(client: Client) -> None:
    assert refusal(lambda: client.infer(small_circuit(weight=9), inputs())).code == "request.model.unknown"
    assert refusal(lambda: client.fetch_circuit(bytes(32))).code == "request.model.unknown"
    assert refusal(lambda: client.fetch_unverified(Job("00" * 16, "done"))).code == "request.job.unknown"


def test_sending_again_is_safe(client: Client) -> None:
    question = client.prepare(CIRCUIT, inputs())
    first, second = client.submit(question), client.submit(question)
    assert first.id == second.id


def test_a_job_that_failed_says_why(client: Client, served: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    real = Unseal.__call__

    def fail_later(self: Unseal, inference: Any) -> Unsealed:
        calls.append(1)
        if len(calls) > 1:  # admitted, then broken
            raise circuits.OperationalError("circuit.test", "broke while running")
        return real(self, inference)

    monkeypatch.setattr(Unseal, "__call__", fail_later)
    error = refusal(lambda: client.infer(CIRCUIT, inputs()))
    assert (error.code, error.message) == ("circuit.test", "broke while running")


def test_a_full_queue_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node(tmp_path)
    node.models.put(dump_circuit(CIRCUIT))
    monkeypatch.setattr("node.refusals.RETRY_SECONDS", 0)
    release, real = threading.Event(), JobStore.claim
    monkeypatch.setattr(JobStore, "claim", lambda self: real(self) if release.is_set() else None)
    with (
        serving(Settings(tmp_path, port=0, queue=1, threads=1)) as found,
        Client(found.url, policy=trusting(node.keys.signing), patience=20) as client,
    ):
        client.submit(client.prepare(CIRCUIT, inputs()))
        with Client(found.url, policy=None, patience=0.0) as hasty:
            monkeypatch.setattr("node.refusals.RETRY_SECONDS", 1)
            assert refusal(lambda: hasty.infer(CIRCUIT, inputs())).code == "node.queue.full"
            monkeypatch.setattr("node.refusals.RETRY_SECONDS", 0)
        timer = threading.Timer(0.3, release.set)
        timer.start()
        assert client.infer(CIRCUIT, inputs(seed=3)).outputs
        timer.join()


def test_patience_ends(client: Client, monkeypatch: pytest.MonkeyPatch, served: Running, policy: Policy) -> None:
    monkeypatch.setattr(JobStore, "claim", lambda self: None)
    with Client(served.url, policy=policy, patience=0.1) as hasty:
        assert refusal(lambda: hasty.infer(CIRCUIT, inputs(seed=77))).code == "client.patience.exhausted"
    monkeypatch.undo()


def test_nobody_there(policy: Policy) -> None:
    with Client("http://127.0.0.1:9", policy=policy, patience=0.1) as client:
        assert refusal(lambda: client.infer(CIRCUIT, inputs())).code == "client.network.failed"
    for url in ("http://[", "", "node", "ftp://node", "http://", "http://node:x", "file:///etc/passwd"):
        assert refusal(lambda url=url: Client(url, policy=policy)).code == "client.url.malformed", url


@pytest.mark.parametrize("token", ["", "two\nlines", "ü" * 20, " blank"])
def test_a_token_that_is_none(policy: Policy, token: str) -> None:
    assert refusal(lambda: Client("http://127.0.0.1:9", policy=policy, token=token)).code == "client.token.malformed"


@pytest.mark.parametrize("timeout", [float("nan"), float("inf"), 1e308, 0.0, -1.0])
def test_a_timeout_that_is_none(policy: Policy, timeout: float) -> None:
    assert refusal(lambda: Client("http://127.0.0.1:9", policy=policy, timeout=timeout)).code == (
        "client.timeout.malformed"
    )


def test_a_node_with_a_token(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.models.put(dump_circuit(CIRCUIT))
    policy = trusting(node.keys.signing)
    (tmp_path / "token").write_text("correct-horse-battery-staple")
    with serving(Settings(tmp_path, port=0, threads=1, token_file=tmp_path / "token")) as found:
        with Client(found.url, policy=policy, token="correct-horse-battery-staple") as client:
            assert client.infer(CIRCUIT, inputs()).outputs
        with Client(found.url, policy=policy) as client:
            assert refusal(lambda: client.infer(CIRCUIT, inputs())).code == "request.token.missing"


def test_a_policy_that_demands_a_proof_gets_one_over_http(served: Running, policy: Policy) -> None:
    demanding = replace(policy, assurance=("signed", "proved"), max_macs=0)
    with Client(served.url, policy=demanding, patience=60) as client:
        answer = client.infer(CIRCUIT, inputs())
        np.testing.assert_array_equal(answer.outputs["y"], EXPECTED)
        assert answer.result.ledger.reached("proved") and not answer.result.ledger.reached("rechecked")
        with pytest.raises(NotAccepted) as refused:
            client.infer(CIRCUIT, inputs(), prove=False)
        assert refused.value.result.code == "policy.proved.not-reached"
        with pytest.raises(NodeError) as sealed:  # a proof would show what the seal hides
            client.infer(CIRCUIT, inputs(), seal=True)
        assert sealed.value.code == "request.prove.sealed"


def test_a_policy_with_a_commitment_gets_a_proof_about_committed_weights(served: Running, policy: Policy) -> None:
    from prover import commit_weights

    root = commit_weights(CIRCUIT).root
    models = frozenset([CIRCUIT.digest])
    demanding = replace(policy, assurance=("signed", "proved"), max_macs=0, models=models)
    pinning = replace(demanding, commitments={CIRCUIT.digest: root})
    with Client(served.url, policy=pinning, patience=60) as client:
        for committed, expected in ((None, root), (False, None)):
            answer = client.infer(CIRCUIT, inputs(), committed=committed)
            np.testing.assert_array_equal(answer.outputs["y"], EXPECTED)
            assert answer.result.ledger.reached("proved") and not answer.result.ledger.reached("rechecked")
            proof = read_affidavit(answer.affidavit).receipt.proof
            assert proof is not None and proof.weights == expected
        with pytest.raises(NodeError) as unproved:
            client.infer(CIRCUIT, inputs(), prove=False, committed=True)
        assert unproved.value.code == "request.committed.unproved"
        assert not client.prepare(CIRCUIT, inputs(), prove=False).request.committed
    with Client(served.url, policy=demanding, patience=60) as client:
        assert not client.prepare(CIRCUIT, inputs()).request.committed
        with pytest.raises(NotAccepted) as refused:  # the circuit is at hand, its commitment is not
            client.infer(CIRCUIT, inputs(), committed=True)
        assert refused.value.result.code == "proof.weights.unknown"
        (check,) = (c for c in refused.value.result.checks if c.id == "proof")
        assert check.code == "proof.weights.unknown" and "affidavit commitment" in check.remedy
    with Client(served.url, policy=replace(pinning, commitments={CIRCUIT.digest: bytes(32)}), patience=60) as client:
        with pytest.raises(NotAccepted) as other:
            client.infer(CIRCUIT, inputs())
        assert other.value.result.code == "proof.commitment.mismatch"


def test_a_node_in_this_process(tmp_path: Path) -> None:
    with Node(tmp_path, SimulatedEvidence(), threads=1) as node:
        local = LocalClient(node, policy=trusting(node.keys.signing))
        for seal in (False, True):
            np.testing.assert_array_equal(local.infer(CIRCUIT, inputs(), seal=seal).outputs["y"], EXPECTED)
        strict = LocalClient(node, policy=None)
        with pytest.raises(NotAccepted):
            strict.infer(CIRCUIT, inputs())


# Nodes that lie, and things that are no nodes.


def test_a_sealed_request_answered_in_clear_is_not_passed_on(tmp_path: Path) -> None:
    """A node that drops the salt could be checked all the same, and everybody could guess the input."""
    with Node(tmp_path, threads=1) as node:
        node.models.put(dump_circuit(CIRCUIT))
        policy = trusting(node.keys.signing)
        question = ask(CIRCUIT, inputs(), policy=policy, seal_to=node.keys)
        sealed = question.sealed
        assert sealed is not None
        honest = node.run(question.request)
        now = datetime.now(UTC)
        assert refusal(lambda: believe(question, honest.affidavit, None, policy=policy, at=now)).code == (
            "client.answer.unsealed"
        )
        clear = ask(CIRCUIT, inputs(), policy=policy)
        request = replace(clear.request, nonce=question.request.nonce)
        leaky = node.run(request)
        box = honest.sealed
        with pytest.raises(ClientError) as caught:
            believe(question, leaky.affidavit, box, policy=policy, at=now)
        assert caught.value.code == "client.answer.not-private"
        other = replace(question, keys=replace(node.keys, sealing=b"\x09" * 32))
        assert refusal(lambda: believe(other, honest.affidavit, box, policy=policy, at=now)).code == (
            "client.answer.other-keys"
        )


def test_whose_keys_these_are(tmp_path: Path) -> None:
    challenge, at = b"\x07" * 32, datetime.now(UTC)
    node, other = Node(tmp_path / "a", SimulatedEvidence()), Node(tmp_path / "b", SimulatedEvidence())
    identity = node.identify(challenge)
    listed = trusting(node.keys.signing)
    assert check_identity(identity, challenge, policy=listed, at=at) == node.keys
    unsafe = replace(trusting(assurance=("attested",)), unsafe_accept_simulated=True)
    assert check_identity(identity, challenge, policy=unsafe, at=at) == node.keys

    def code(changed: Any, policy: Policy, challenge_: bytes = challenge) -> str:
        return refusal(lambda: check_identity(changed, challenge_, policy=policy, at=at)).code

    swapped = replace(identity, keys=replace(node.keys, sealing=other.keys.sealing))
    assert code(swapped, listed) == "client.keys.signature-invalid"
    assert code(identity, listed, bytes(32)) == "client.keys.challenge-mismatch"
    assert code(replace(identity, challenge=bytes(32)), listed, bytes(32)) == "client.keys.signature-invalid"
    assert code(other.identify(challenge), listed) == "client.keys.not-allowed"
    assert code(identity, trusting()) == "client.keys.untrusted"
    attested = replace(listed, assurance=("signed", "attested"))
    assert code(identity, attested) == "client.keys.untrusted"
    borrowed = replace(identity, evidence=other.identify(challenge).evidence)
    assert code(borrowed, unsafe) == "client.keys.untrusted", "evidence over another node's keys"
    tpm = replace(trusting(assurance=("attested",)), evidence=("tpm2-quote@v1",))
    assert code(identity, tpm) == "client.keys.untrusted"


@contextmanager
def impostor(status: int, body: bytes) -> Iterator[str]:
    """Something that answers every request alike."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer  # noqa: N815

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


GOOD_JOB = {"id": "0" * 32, "state": "done", "error": None}


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (200, b"", "client.response.malformed"),
        (200, b"[" * 100_000, "client.response.malformed"),
        (200, b'{"id": 5}', "client.response.malformed"),
        (200, json.dumps({**GOOD_JOB, "id": "../../etc"}).encode(), "client.response.malformed"),
        (200, json.dumps({**GOOD_JOB, "state": "perfect"}).encode(), "client.response.malformed"),
        (200, json.dumps({**GOOD_JOB, "error": "text"}).encode(), "client.response.malformed"),
        (200, b" " * (9 << 20), "client.response.too-large"),
        (302, b"", "client.response.malformed"),
        (404, b"<html>", "client.response.malformed"),
        (400, json.dumps({"code": "Not A Code", "message": "", "remedy": ""}).encode(), "client.response.malformed"),
        (500, json.dumps({"code": "a.b", "message": "\x1b[31mred", "remedy": ""}).encode(), "a.b"),
        (200, json.dumps(GOOD_JOB).encode(), "affidavit.container.not-a-container"),
    ],
)
def test_what_is_no_node(policy: Policy, status: int, body: bytes, code: str) -> None:
    with impostor(status, body) as url, Client(url, policy=policy, patience=0.2, timeout=5) as client:
        error = refusal(lambda: client.infer(CIRCUIT, inputs()))
        assert error.code == code
        assert error.message.isprintable()
        if code != "affidavit.container.not-a-container":
            assert refusal(client.keys).code in {code, "client.response.malformed"}


def test_a_circuit_that_was_not_asked_for(policy: Policy) -> None:
    with impostor(200, dump_circuit(CIRCUIT)) as url, Client(url, policy=policy) as client:
        assert refusal(lambda: client.fetch_circuit(bytes(32))).code == "client.model.mismatch"


def test_the_public_names() -> None:
    assert list(affidavit.__all__) == sorted(affidavit.__all__)
    for name in affidavit.__all__:
        assert getattr(affidavit, name).__name__ == name
    with pytest.raises(AttributeError):
        _ = affidavit.nothing


def test_importing_the_front_door_is_light() -> None:
    program = "import sys, affidavit; print(*sorted({'httpx', 'numpy', 'nacl', 'verifier'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout.strip()) == (0, "")


def test_tls_with_a_ca_of_ones_own(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    write_certificate(key, certificate)
    node = Node(tmp_path / "node")
    node.models.put(dump_circuit(CIRCUIT))
    policy = trusting(node.keys.signing)
    settings = Settings(node.data_dir, port=0, threads=1, tls_certificate=certificate, tls_key=key)
    with serving(settings) as found:
        url = found.url.replace("http://", "https://")
        with Client(url, policy=policy, ca=certificate) as client:
            assert client.infer(CIRCUIT, inputs(), seal=True).outputs
        with Client(url, policy=policy, patience=0.1) as client:
            assert refusal(lambda: client.infer(CIRCUIT, inputs())).code == "client.network.failed"
    assert refusal(lambda: Client(url, policy=policy, ca=tmp_path / "none")).code == "client.ca.unusable"
    broken = replace(settings, tls_key=certificate)
    with pytest.raises(NodeError) as caught, serving(broken):
        pass
    assert caught.value.code == "node.tls.unusable"


def write_certificate(key_file: Path, certificate_file: Path) -> None:
    """A self-signed certificate for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    certificate = builder.sign(key, hashes.SHA256())
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    certificate_file.write_bytes(certificate.public_bytes(Encoding.PEM))
