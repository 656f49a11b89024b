# SPDX-License-Identifier: AGPL-3.0-or-later
"""Attesting a node over a channel: bound where it can be, refused where somebody is in between."""

from __future__ import annotations

import contextlib
import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from OpenSSL import SSL

from affidavit.attest import Attested, Binding, attest, channel_json, session_files
from affidavit.channel import client_context
from affidavit.errors import ClientError, RejectedError, UnsupportedError
from affidavit.transport import Transport
from attestation.channel.binding import channel_challenge
from attestation.channel.session import Channel
from node.evidence import keys_digest, keys_message
from node.settings import Settings
from tests.attestation import paper
from tests.attestation.channel.pki import Authority
from tests.client.between import Relay, ask, between
from tests.node.making import serving
from verifier.keys import KeySet
from verifier.policy import Policy
from verifier.verdict import Verdict

ROOT = Path(__file__).resolve().parents[2]
POLICY = Policy(evidence=("tpm2-quote@v1",), trust={"tpm2": paper.trust()})


class PaperProducer:
    """A machine with a TPM made of paper."""

    type, simulated = "tpm2-quote@v1", False

    def describe(self) -> str:
        return "paper"

    def collect(self, challenge: bytes) -> dict[str, bytes]:
        return paper.PaperTpm(extra_data=challenge).members()

    def close(self) -> None:
        return


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"))


@contextlib.contextmanager
def a_node(folder: Path, ca: Authority | None) -> Iterator[str]:
    """A real node; yields its URL."""
    files = None if ca is None else ca.issue("127.0.0.1", label="node")
    settings = Settings(folder, port=0, threads=1)
    if files is not None:
        settings = replace(settings, tls_certificate=files.certificate, tls_key=files.key)
    with serving(settings, PaperProducer()) as found:
        yield found.url if ca is None else found.url.replace("http://", "https://")


@pytest.fixture
def url(tmp_path: Path, ca: Authority) -> Iterator[str]:
    with a_node(tmp_path / "node", ca) as found:
        yield found


def attested(url: str, ca: Authority, binding: Binding) -> Attested:
    with Transport(url, ca=ca.file, channel=True) as transport:
        return attest(transport, policy=POLICY, at=paper.AT, binding=binding)


def refused(url: str, ca: Authority, binding: Binding) -> ClientError:
    with pytest.raises(ClientError) as caught:
        attested(url, ca, binding)
    return caught.value


@pytest.mark.parametrize("binding", [Binding.PREFER, Binding.REQUIRE])
def test_bound_to_the_connection(url: str, ca: Authority, binding: Binding) -> None:
    found = attested(url, ca, binding)
    assert found.worst.verdict is Verdict.ACCEPT, found.worst.message
    assert found.channel is not None and found.channel.exporter is not None and found.unbound == ""
    keys = found.identity.keys
    assert found.challenge == keys_digest(found.nonce, keys, found.channel.exporter) != keys_digest(found.nonce, keys)
    session = json.loads(session_files(found, url)["session.json"])
    assert session["channel_binding"] == channel_json(found)
    assert session["channel_binding"]["exporter"] == found.channel.exporter.hex()


def test_not_asked_for(url: str, ca: Authority) -> None:
    found = attested(url, ca, Binding.OFF)
    assert found.worst.verdict is Verdict.ACCEPT and found.channel is None
    assert channel_json(found) == {"bound": False, "reason": "not asked for"}
    with Transport(url, ca=ca.file) as transport:  # which does not know its channel
        with pytest.raises(UnsupportedError) as caught:
            attest(transport, policy=POLICY, at=paper.AT, binding=Binding.PREFER)
        assert caught.value.code == "client.channel-binding.unsupported"


def test_plain_http(tmp_path: Path, ca: Authority) -> None:
    with a_node(tmp_path / "node", None) as url:
        found = attested(url, ca, Binding.PREFER)
        assert found.worst.verdict is Verdict.ACCEPT
        assert channel_json(found) == {"bound": False, "reason": "plain HTTP"}
        error = refused(url, ca, Binding.REQUIRE)
        assert isinstance(error, UnsupportedError) and error.code == "client.channel-binding.unsupported"
        with httpx.Client(base_url=url, trust_env=False) as http:
            assert http.get("/health").json()["channel_bindings"] == []
            answer = http.get("/v1/keys", params={"challenge": "00" * 32, "channel_binding": "tls-exporter"})
            assert (answer.status_code, answer.json()["code"]) == (404, "request.channel-binding.unsupported")
            answer = http.get("/v1/keys", params={"challenge": "00" * 32, "channel_binding": "tls-unique"})
            assert (answer.status_code, answer.json()["code"]) == (400, "request.parameter.malformed")


def test_tls_1_2(url: str, ca: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    old = ssl.create_default_context(cafile=ca.file)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with httpx.Client(base_url=url, verify=old, trust_env=False) as http:
        answer = http.get("/v1/keys", params={"challenge": "00" * 32, "channel_binding": "tls-exporter"})
        assert (answer.status_code, answer.json()["code"]) == (404, "request.channel-binding.unsupported")
        assert "TLSv1.2" in answer.json()["message"]
        assert http.get("/health").json()["channel_bindings"] == []
    honest = client_context

    def old_client(ca: Any) -> SSL.Context:
        context = honest(ca)
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
        return context

    monkeypatch.setattr("affidavit.bounded.client_context", old_client)
    assert refused(url, ca, Binding.REQUIRE).code == "request.channel-binding.unsupported"
    assert attested(url, ca, Binding.PREFER).unbound == "the node does not offer it over this connection"


def test_behind_a_proxy_that_ends_tls(tmp_path: Path, ca: Authority) -> None:
    """A node that does not end TLS itself offers nothing, and says so instead of binding to something else."""
    with a_node(tmp_path / "node", None) as plain:

        def relay(path: str, _: Channel) -> tuple[int, bytes]:
            return ask(plain, path)

        with between(ca.issue("127.0.0.1", label="proxy"), relay) as proxy:
            assert attested(proxy, ca, Binding.PREFER).unbound == "the node does not offer it over this connection"
            error = refused(proxy, ca, Binding.REQUIRE)
            assert isinstance(error, UnsupportedError) and error.code == "request.channel-binding.unsupported"


# Somebody in between, with a certificate that the client trusts.


def in_between(ca: Authority, relay: Relay) -> contextlib.AbstractContextManager[str]:
    return between(ca.issue("127.0.0.1", label="between"), relay)


@pytest.mark.parametrize("binding", [Binding.PREFER, Binding.REQUIRE])
def test_a_relay_is_rejected(url: str, ca: Authority, binding: Binding) -> None:
    with in_between(ca, lambda path, _: ask(url, path)) as other:
        assert attested(other, ca, Binding.OFF).worst.verdict is Verdict.ACCEPT  # what the binding is for
        error = refused(other, ca, binding)
    assert isinstance(error, RejectedError) and error.code == "client.channel-binding.mismatch"


def test_a_relay_that_asks_the_plain_question_with_the_bound_challenge_as_nonce(url: str, ca: Authority) -> None:
    """The label of its own is what stops this one."""

    def relay(path: str, channel: Channel) -> tuple[int, bytes]:
        if not path.startswith("/v1/keys"):
            return ask(url, path)
        nonce = bytes.fromhex(parse_qs(urlsplit(path).query)["challenge"][0])
        assert channel.exporter is not None
        chosen = channel_challenge(nonce, channel.exporter)
        status, body = ask(url, f"/v1/keys?challenge={chosen.hex()}")
        said = {**json.loads(body), "challenge": nonce.hex(), "channel_binding": "tls-exporter"}
        return status, json.dumps(said).encode()

    with in_between(ca, relay) as other:
        assert refused(other, ca, Binding.REQUIRE).code == "client.channel-binding.mismatch"


def test_a_relay_that_signs_with_keys_of_its_own(url: str, ca: Authority) -> None:
    """It can sign over the client's connection, but not make the machine's evidence say so."""
    own = Ed25519PrivateKey.generate()

    def relay(path: str, channel: Channel) -> tuple[int, bytes]:
        status, body = ask(url, path)
        if path.startswith("/v1/keys"):
            said = json.loads(body)
            keys = KeySet(own.public_key().public_bytes_raw(), bytes.fromhex(said["sealing"]))
            message = keys_message(bytes.fromhex(said["challenge"]), keys, channel.exporter)
            body = json.dumps({**said, "signing": keys.signing.hex(), "signature": own.sign(message).hex()}).encode()
        return status, body

    with in_between(ca, relay) as other:
        found = attested(other, ca, Binding.REQUIRE)
    assert (found.worst.verdict, found.worst.code) == (Verdict.REJECT, "evidence.tpm2.challenge-mismatch")


@pytest.mark.parametrize("binding", [Binding.PREFER, Binding.REQUIRE])
def test_a_relay_that_takes_the_binding_out(url: str, ca: Authority, binding: Binding) -> None:
    """What was announced, or required, is not quietly done without."""

    def relay(path: str, _: Channel) -> tuple[int, bytes]:
        return ask(url, path.replace("&channel_binding=tls-exporter", ""))

    with in_between(ca, relay) as other:
        error = refused(other, ca, binding)
    assert isinstance(error, UnsupportedError) and error.code == "client.channel-binding.unsupported"


def test_a_relay_that_takes_the_announcement_out(url: str, ca: Authority) -> None:
    """The limit of "prefer": the result says that nothing is bound, and "require" is not impressed."""

    def relay(path: str, _: Channel) -> tuple[int, bytes]:
        status, body = ask(url, path)
        return status, body.replace(b'["tls-exporter"]', b"[]")

    with in_between(ca, relay) as other:
        found = attested(other, ca, Binding.PREFER)
        assert found.channel is None and channel_json(found)["bound"] is False
        assert refused(other, ca, Binding.REQUIRE).code == "client.channel-binding.mismatch"


@pytest.mark.parametrize("body", [b"[]", b'{"channel_bindings": 1}', b'{"channel_bindings": [1]}', b"{}" * 2])
def test_announcements_outside_the_grammar(url: str, ca: Authority, body: bytes) -> None:
    with in_between(ca, lambda path, _: (200, body) if path == "/health" else ask(url, path)) as other:
        assert refused(other, ca, Binding.PREFER).code == "client.response.malformed"


def test_a_server_that_does_not_know_its_channel_binds_nothing(
    tmp_path: Path, ca: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same node under uvicorn's own TLS: no exporter there, so it is a refusal, not a guess."""
    files = ca.issue("127.0.0.1", label="plain")
    honest = uvicorn.Config

    def config(*given: Any, **named: Any) -> uvicorn.Config:
        named |= {"http": "h11", "ssl_certfile": files.certificate, "ssl_keyfile": files.key}
        return honest(*given, **named)

    monkeypatch.setattr("node.serve.uvicorn.Config", config)
    with a_node(tmp_path / "node", ca) as url:
        assert refused(url, ca, Binding.REQUIRE).code == "request.channel-binding.unsupported"
        assert attested(url, ca, Binding.PREFER).channel is None


@pytest.mark.parametrize("chosen", [None, "off"])
def test_the_command_says_whether_it_was_bound(url: str, ca: Authority, chosen: str | None) -> None:
    command = [sys.executable, "-m", "affidavit", "attest", url, "--ca", str(ca.file)]
    command += [] if chosen is None else ["--channel-binding", chosen]
    said = json.loads(subprocess.run([*command, "--json"], cwd=ROOT, capture_output=True, timeout=60).stdout)
    text = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60).stdout
    assert said["verdict"] in text
    if chosen == "off":
        assert said["channel_binding"] == {"bound": False, "reason": "not asked for"}
        assert "channel not bound: not asked for" in text
    else:
        assert said["channel_binding"]["bound"] and len(said["channel_binding"]["exporter"]) == 64
        assert "channel bound to this TLSv1.3 connection" in text


def test_the_command_refuses_what_it_cannot_bind(tmp_path: Path) -> None:
    with a_node(tmp_path / "node", None) as plain:
        command = [sys.executable, "-m", "affidavit", "attest", plain, "--channel-binding", "require", "--json"]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60)
        assert result.returncode == 20
        assert json.loads(result.stdout)["code"] == "client.channel-binding.unsupported"
        text = subprocess.run(command[:5], cwd=ROOT, capture_output=True, text=True, timeout=60).stdout
        assert "channel not bound: plain HTTP" in text
