# SPDX-License-Identifier: AGPL-3.0-or-later
"""From an unknown TPM to an affidavit that a production policy accepts, by commands alone."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from affidavit.enrolment import MAX_ANSWER_BYTES, enrol
from affidavit.errors import ClientError
from attestation.tpm2.registrar import Enrolment
from attestation.tpm2.software import SoftwareTpm
from tests.service.running import running
from tests.verifier.making import NONCE
from verifier.errors import VerifierError
from verifier.service import Settings, create_app


@pytest.mark.swtpm
def test_enrolled_run_and_verified(affidavit, place):
    assert affidavit("verifier", "registrar", "--key", place / "ca.key", "--certificate", place / "ca.pem").code == 0
    with SoftwareTpm() as tpm:
        maker = x509.load_der_x509_certificate(tpm.maker.der).public_bytes(Encoding.PEM)
        (place / "maker.pem").write_bytes(maker)
        policy = place / "policy.toml"
        ran = affidavit(
            "policy", "new", "-o", policy, "--ek-root", place / "maker.pem", "--ak-issuer", place / "ca.pem",
            "--circuit", place / "small.circuit",
        )  # fmt: skip
        assert ran.code == 0
        before = affidavit(
            "run", place / "small.circuit", "--input", place / "x.npz", "-o", place / "a.affidavit",
            "--evidence", "tpm", "--tcti", tpm.tcti, "--nonce", NONCE.hex(),
        )  # fmt: skip
        assert before.code == 0 and "not enrolled" in before.err
        known = ["--model", place / "small.circuit", "--input", place / "x.npz", "--nonce", NONCE.hex()]
        ran = affidavit("verify", place / "a.affidavit", *known, "--policy", policy)
        assert ran.code == 20 and "UNVERIFIABLE(evidence.tpm2.ak-certificate-missing)" in ran.out

        settings = Settings(
            database=f"sqlite:///{place / 'v.db'}", blobs=place / "blobs", policies=(policy,),
            registrar_key=place / "ca.key", registrar_certificate=place / "ca.pem",
        )  # fmt: skip
        with running(create_app(settings)) as url:
            ran = affidavit("node", "enrol", "--verifier", url, "--tcti", tpm.tcti)
            assert ran.code == 0, ran.err
        issued = place / "node" / "ak-certificate.der"
        good = issued.read_bytes()
        issued.write_bytes(tpm.maker.der)
        odd = affidavit(
            "run", place / "small.circuit", "--input", place / "x.npz", "-o", place / "c.affidavit",
            "--evidence", "tpm", "--tcti", tpm.tcti,
        )  # fmt: skip
        assert odd.code == 0 and "another key" in odd.err
        issued.write_bytes(good)
        ran = affidavit(
            "run", place / "small.circuit", "--input", place / "x.npz", "-o", place / "b.affidavit",
            "--evidence", "tpm", "--tcti", tpm.tcti, "--nonce", NONCE.hex(), "--prove",
        )  # fmt: skip
        assert ran.code == 0 and "not enrolled" not in ran.err
    ran = affidavit("verify", place / "b.affidavit", *known, "--policy", policy, "--json")
    assert ran.code == 0, ran.out
    reached = {layer["name"] for layer in ran.json["ledger"]["layers"] if layer["reached"]}
    assert reached == {"signed", "attested", "rechecked", "proved"}


class PaperProducer:
    """Stands where a TPM is, up to the activation that these answers never come to."""

    def enrolment(self) -> Enrolment:
        return Enrolment(b"public", b"certificate")

    def activate(self, credential: object) -> bytes:
        return b"secret"


CHALLENGE = {"id": "ab" * 32, "credential_blob": "AAAA", "encrypted_secret": "AAAA"}


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ([(200, b"not json")], "enrolment.answer.malformed"),
        ([(200, b"[" * 100_000)], "enrolment.answer.malformed"),
        ([(200, b"x" * (MAX_ANSWER_BYTES + 1))], "enrolment.answer.malformed"),
        ([(200, b"{}")], "enrolment.answer.malformed"),
        ([(201, json.dumps(CHALLENGE | {"id": "../x"}).encode())], "enrolment.answer.malformed"),
        ([(201, json.dumps(CHALLENGE | {"credential_blob": "?"}).encode())], "enrolment.answer.malformed"),
        ([(201, json.dumps(CHALLENGE).encode()), (200, b'{"der": 7}')], "enrolment.answer.malformed"),
        ([(201, json.dumps(CHALLENGE).encode()), (200, b'{"der": "AAAA"}')], "enrolment.answer.malformed"),
        ([(404, b'{"code": "service.enrolment.disabled", "message": "no", "remedy": "r"}')], "enrolment.refused"),
        ([], "enrolment.unreachable"),
    ],
)
def test_bad_attestation_cas(answers: list[tuple[int, bytes]], code: str) -> None:
    waiting = iter(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        try:
            status, content = next(waiting)
        except StopIteration:
            raise httpx.ConnectError("nobody there") from None
        return httpx.Response(status, content=content)

    producer: Any = PaperProducer()
    with pytest.raises(VerifierError) as error:
        enrol(producer, "http://127.0.0.1:9", transport=httpx.MockTransport(answer))
    assert error.value.code == code


@pytest.mark.parametrize(
    ("url", "token", "code"),
    [
        ("verifier.example.com", None, "client.url.malformed"),
        ("http://\x1b", None, "client.url.malformed"),
        ("http://127.0.0.1:9", "t\ufffdken of sixteen", "client.token.malformed"),
    ],
)
def test_bad_arguments(url: str, token: str | None, code: str) -> None:
    producer: Any = PaperProducer()
    with pytest.raises(ClientError) as error:
        enrol(producer, url, token=token)
    assert error.value.code == code
