# SPDX-License-Identifier: AGPL-3.0-or-later
"""Appraisals over a channel: evidence counts over the connection of the machine that made it, and over no other."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from affidavit.transport import RefusedError, Transport
from attestation.channel.binding import channel_challenge
from attestation.channel.session import Channel
from tests.attestation.channel.pki import Authority
from tests.client.between import between
from tests.service.appraising import evidence, started
from tests.service.conftest import Service, Start
from verifier.errors import OperationalError
from verifier.service import Settings, verify_chain
from verifier.service.server import protocol

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def over_tls(start: Start, ca: Authority) -> Service:
    files = ca.issue("127.0.0.1", label="service")
    return started(start, tls_certificate=files.certificate, tls_key=files.key)


class Attester:
    """A machine that proves itself over one connection."""

    def __init__(self, url: str, ca: Authority) -> None:
        self.transport = Transport(url, ca=ca.file, channel=True)

    def mint(self) -> tuple[bytes, bytes]:
        """A nonce, and the exporter of the connection over which it came."""
        answer = self.transport.exchange("POST", "/v1/nonces")
        assert answer.channel is not None and answer.channel.exporter is not None
        return bytes.fromhex(json.loads(answer.body)["nonce"]), answer.channel.exporter

    def show(self, data: bytes, nonce: bytes | None, **changes: Any) -> Any:
        body = {"type": "tpm2", "evidence": base64.b64encode(data).decode(), "channel_binding": "tls-exporter"}
        body |= ({} if nonce is None else {"nonce": nonce.hex()}) | changes
        return json.loads(self.transport.request("POST", "/v1/appraisals", content=json.dumps(body).encode()))

    def __enter__(self) -> Attester:
        return self

    def __exit__(self, *_: object) -> None:
        self.transport.close()


def attester(service: Service, ca: Authority) -> Attester:
    return Attester(str(service.client.base_url), ca)


def test_evidence_over_its_own_connection(over_tls: Service, ca: Authority) -> None:
    with attester(over_tls, ca) as machine:
        nonce, exporter = machine.mint()
        answer = machine.show(evidence(channel_challenge(nonce, exporter)), nonce)
        assert (answer["verdict"], answer["channel_binding"]) == ("ACCEPT", "tls-exporter"), answer["code"]
        assert answer["ear"]["eat_nonce"] == base64.urlsafe_b64encode(nonce).rstrip(b"=").decode()
        assert answer["record"]["nonce"] == nonce.hex()
        with pytest.raises(RefusedError) as caught:  # the nonce is spent as ever
            machine.show(evidence(channel_challenge(nonce, exporter)), nonce)
        assert caught.value.error.code == "request.nonce.used"
        other, _ = machine.mint()  # and without a channel the nonce alone counts
        answer = machine.show(evidence(other), other, channel_binding=None)
        assert (answer["verdict"], answer["channel_binding"]) == ("ACCEPT", None)
    assert verify_chain(over_tls.parts.database, over_tls.parts.blobs).seq == 2


def test_evidence_of_another_connection(over_tls: Service, ca: Authority) -> None:
    with attester(over_tls, ca) as machine, attester(over_tls, ca) as thief:
        nonce, exporter = machine.mint()
        thief.mint()
        for data in (
            evidence(channel_challenge(nonce, exporter)),  # of the machine's connection, shown over the thief's
            evidence(nonce),  # of none
        ):
            answer = thief.show(data, nonce)
            assert (answer["verdict"], answer["code"]) == ("REJECT", "evidence.tpm2.challenge-mismatch")
            nonce, exporter = machine.mint()
        answer = machine.show(evidence(channel_challenge(nonce, exporter)), nonce, channel_binding=None)
        assert answer["verdict"] == "REJECT"  # bound, and shown as if it were not


def test_somebody_in_between(over_tls: Service, ca: Authority) -> None:
    """The machine takes it for the service; it passes nonce and evidence on over a connection of its own."""
    with attester(over_tls, ca) as service:
        nonce, _ = service.mint()

        def relay(path: str, _: Channel) -> tuple[int, bytes]:
            return 200, json.dumps({"nonce": nonce.hex()}).encode()

        with between(ca.issue("127.0.0.1", label="between"), relay) as other, Attester(other, ca) as machine:
            told, exporter = machine.mint()
            assert told == nonce
            answer = service.show(evidence(channel_challenge(nonce, exporter)), nonce)
    assert (answer["verdict"], answer["code"]) == ("REJECT", "evidence.tpm2.challenge-mismatch")


def test_what_cannot_be_bound(over_tls: Service, ca: Authority) -> None:
    with attester(over_tls, ca) as machine, pytest.raises(RefusedError) as caught:
        machine.show(evidence(), None)
    assert caught.value.error.code == "service.channel-binding.nonce-missing"
    old = ssl.create_default_context(cafile=ca.file)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    shown = base64.b64encode(evidence()).decode()
    body = {"type": "tpm2", "evidence": shown, "nonce": "00" * 32, "channel_binding": "tls-exporter"}
    with httpx.Client(base_url=over_tls.client.base_url, verify=old, trust_env=False) as http:
        answer = http.post("/v1/appraisals", json=body)
        assert (answer.status_code, answer.json()["code"]) == (501, "service.channel-binding.unsupported")
        assert "TLSv1.2" in answer.json()["message"]
    assert verify_chain(over_tls.parts.database, over_tls.parts.blobs).seq == 0


def test_certificates_that_cannot_be_used(ca: Authority, tmp_path: Path) -> None:
    files, other = ca.issue("127.0.0.1", label="one"), ca.issue("127.0.0.1", label="two")
    for certificate, key, code in (
        (files.certificate, other.key, "service.tls.unusable"),
        (tmp_path / "none", files.key, "service.tls.unusable"),
        (files.certificate, None, "service.settings.malformed"),
        (None, files.key, "service.settings.malformed"),
    ):
        with pytest.raises(OperationalError) as caught:
            protocol(Settings(tls_certificate=certificate, tls_key=key))
        assert caught.value.code == code
    command = [sys.executable, "-m", "affidavit", "verifier", "serve", "--port", "0"]
    command += ["--database", f"sqlite:///{tmp_path}/x.db", "--blobs", str(tmp_path / "blobs")]
    command += ["--tls-certificate", str(files.certificate), "--tls-key", str(other.key)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert result.returncode == 1 and "service.tls.unusable" in result.stdout + result.stderr
