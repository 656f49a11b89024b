# SPDX-License-Identifier: AGPL-3.0-or-later
"""The attestation CA over HTTP: with a TPM on paper on both databases, and end to end with a software TPM."""

from __future__ import annotations

import base64
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

from attestation.tpm2.authority import issue_ek_certificate, make_authority
from attestation.tpm2.binding import read_binding
from attestation.tpm2.credential import Credential, kdfa, kdfe
from circuits import dump_circuit
from tests.attestation import paper
from tests.service.conftest import Clock, Service, Start
from tests.service.registrar import pem, with_registrar
from tests.verifier.making import AT, NODE, NONCE, Making, public
from verifier.errors import OperationalError
from verifier.service import verify_chain


@pytest.fixture
def enrolling(start: Start) -> Service:
    settings = with_registrar(start, paper.maker(), paper.attestation_ca())
    return start(Clock(paper.AT), **settings)


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def request(**changes: bytes) -> dict[str, str]:
    parts = {"ek_certificate": paper.ek_certificate(), "ak_public": paper.PaperTpm().public.encode()}
    return {name: encoded(content) for name, content in (parts | changes).items()}


def begin(service: Service, **changes: bytes) -> dict[str, str]:
    answer = service.client.post("/v1/enrolments", json=request(**changes))
    assert answer.status_code == 201, answer.text
    document: dict[str, str] = answer.json()
    return document


def credential(challenge: dict[str, str]) -> Credential:
    return Credential(base64.b64decode(challenge["credential_blob"]), base64.b64decode(challenge["encrypted_secret"]))


def activate(challenge: dict[str, str]) -> bytes:
    """What the TPM of the paper EK does: TPM 2.0 Part 1, 24.4, with ECDH as in C.6.3."""
    given, key = credential(challenge), paper.key_pair("p256", 9)
    x, y = given.encrypted_secret[4:36], given.encrypted_secret[38:70]
    sender = ec.EllipticCurvePublicNumbers(
        int.from_bytes(x, "big"), int.from_bytes(y, "big"), ec.SECP256R1()
    ).public_key()
    mine = key.public_key().public_numbers().x.to_bytes(32, "big")
    seed = kdfe("sha256", key.exchange(ec.ECDH(), sender), b"IDENTITY", x, mine, 256)
    storage = kdfa("sha256", seed, b"STORAGE", paper.PaperTpm().public.name(), b"", 128)
    identity = given.blob[2 + 2 + 32 :]
    decryptor = Cipher(algorithms.AES(storage), CFB(bytes(16))).decryptor()
    return (decryptor.update(identity) + decryptor.finalize())[2:]


def finish(service: Service, challenge: dict[str, str], secret: bytes) -> Any:
    return service.client.post(f"/v1/enrolments/{challenge['id']}", json={"secret": encoded(secret)})


def test_an_activated_secret_buys_a_certificate(enrolling: Service) -> None:
    challenge = begin(enrolling)
    answer = finish(enrolling, challenge, activate(challenge))
    assert answer.status_code == 200, answer.text
    der = base64.b64decode(answer.json()["der"])
    certificate = x509.load_der_x509_certificate(der)
    assert x509.load_pem_x509_certificate(answer.json()["pem"].encode()) == certificate
    issuer = enrolling.client.get("/v1/enrolments/issuer").json()
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(issuer["pem"].encode()))
    binding = read_binding(certificate)
    assert binding is not None and binding.ak_name == paper.PaperTpm().public.name()
    assert verify_chain(enrolling.parts.database).seq == 1


def test_a_challenge_takes_one_answer(enrolling: Service) -> None:
    challenge = begin(enrolling)
    secret = activate(challenge)
    assert finish(enrolling, challenge, secret).status_code == 200
    again = finish(enrolling, challenge, secret)
    assert (again.status_code, again.json()["code"]) == (409, "service.enrolment.used")


def test_a_wrong_secret_spends_the_challenge(enrolling: Service) -> None:
    challenge = begin(enrolling)
    for wrong in (bytes(32), b""):
        answer = finish(enrolling, begin(enrolling), wrong)
        assert (answer.status_code, answer.json()["code"]) == (403, "evidence.tpm2.activation-failed")
    assert finish(enrolling, challenge, bytes(32)).status_code == 403
    assert finish(enrolling, challenge, activate(challenge)).status_code == 409
    assert verify_chain(enrolling.parts.database).seq == 0


def test_a_late_answer_is_refused(enrolling: Service) -> None:
    challenge = begin(enrolling)
    enrolling.clock.turn(minutes=5, seconds=1)
    answer = finish(enrolling, challenge, activate(challenge))
    assert (answer.status_code, answer.json()["code"]) == (410, "service.enrolment.expired")


def test_one_of_two_that_race_gets_the_certificate(enrolling: Service) -> None:
    challenge = begin(enrolling)
    secret, statuses = activate(challenge), []
    together = threading.Barrier(4)

    def answer() -> None:
        together.wait()
        statuses.append(finish(enrolling, challenge, secret).status_code)

    threads = [threading.Thread(target=answer) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 409, 409, 409]


def test_an_unknown_enrolment_is_404(enrolling: Service) -> None:
    answer = finish(enrolling, {"id": "0" * 64}, bytes(32))
    assert (answer.status_code, answer.json()["code"]) == (404, "service.enrolment.unknown")


def test_the_secret_is_not_in_the_database(enrolling: Service) -> None:
    from sqlalchemy import text

    challenge = begin(enrolling)
    with enrolling.parts.database.read() as connection:
        row = connection.execute(text("SELECT * FROM enrolments")).one()
    stored = b"|".join(bytes(v) if not isinstance(v, (str, int, type(None))) else b"" for v in row)
    assert activate(challenge) not in stored


def foreign_ek() -> bytes:
    other = make_authority("another maker", paper.AT - timedelta(days=30), timedelta(days=365))
    key = paper.key_pair("p256", 9).public_key()
    return issue_ek_certificate(other, key, paper.AT, timedelta(days=100), model="foreign")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"ek_certificate": b"\x30\x00"}, 422, "evidence.tpm2.certificate-malformed"),
        ({"ek_certificate": b""}, 422, "evidence.tpm2.certificate-malformed"),
        ({"ak_public": b"\x00\x01"}, 422, "evidence.tpm2."),
        ({"ak_public": paper.public_area(paper.key_pair("p256"), attributes=0).encode()}, 403, "evidence.tpm2."),
        ({"ek_chain": b"junk"}, 422, "evidence.tpm2.certificate-malformed"),
    ],
)
def test_bad_keys_are_refused(enrolling: Service, changes: dict[str, bytes], status: int, code: str) -> None:
    answer = enrolling.client.post("/v1/enrolments", json=request(**changes))
    assert answer.status_code == status, answer.text
    assert answer.json()["code"].startswith(code)


def test_a_tpm_of_an_unknown_maker_is_refused(enrolling: Service) -> None:
    answer = enrolling.client.post("/v1/enrolments", json=request(ek_certificate=foreign_ek()))
    assert (answer.status_code, answer.json()["code"]) == (403, "evidence.tpm2.ek-untrusted")


@pytest.mark.parametrize(
    "body", [{}, {"ek_certificate": "!", "ak_public": ""}, [], "x", {"ek_certificate": "AB==", "ak_public": "AAAA"}]
)
def test_bodies_outside_the_grammar_are_refused(enrolling: Service, body: Any) -> None:
    answer = enrolling.client.post("/v1/enrolments", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "service.request.malformed")


def test_without_a_registrar_there_is_no_enrolment(start_sqlite: Start) -> None:
    service = start_sqlite()
    for answer in (
        service.client.get("/v1/enrolments/issuer"),
        service.client.post("/v1/enrolments", json=request()),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "service.enrolment.disabled")
    assert service.client.get("/health").json()["enrolment"] is False


def test_a_registrars_key_and_certificate_belong_together(start_sqlite: Start, tmp_path: Path) -> None:
    other = make_authority("another", paper.AT, timedelta(days=1))
    settings = with_registrar(start_sqlite, paper.maker(), paper.attestation_ca())
    (tmp_path / "other.pem").write_text(pem(other))
    for changes in ({"registrar_certificate": tmp_path / "other.pem"}, {"registrar_key": None}):
        with pytest.raises(OperationalError) as refusal:
            start_sqlite(**settings | changes)
        assert refusal.value.code == "service.settings.malformed"


@pytest.mark.swtpm
def test_from_enrolment_to_an_attested_answer(start: Start) -> None:
    """A software TPM enrols, its evidence goes into an affidavit, and the service accepts that as attested."""
    from attestation.tpm2.producer import Tpm2Producer
    from attestation.tpm2.software import SoftwareTpm

    ca = make_authority("service CA", AT - timedelta(days=1), timedelta(days=100))
    with SoftwareTpm(bytes(32), at=AT) as tpm, tpm.open() as device:
        service = start(Clock(AT), **with_registrar(start, tpm.maker, ca))
        producer = Tpm2Producer(device, ek_kind=tpm.kind, event_log=tpm.event_log)
        keys = producer.enrolment()
        challenge = begin(service, ek_certificate=keys.ek_certificate, ak_public=keys.ak_public, ek_chain=keys.ek_chain)
        answer = finish(service, challenge, producer.activate(credential(challenge)))
        assert answer.status_code == 200, answer.text
        producer.certify(base64.b64decode(answer.json()["der"]))
        plain = Making()
        context = plain.receipt().context
        members = producer.collect(context)
        affidavit = replace(plain, evidence=(("tpm2-quote@v1", members),)).build()
    model = service.put_model(dump_circuit(plain.circuit)).json()["circuit"]
    document = service.verify(affidavit, nonce=NONCE.hex(), model=model).json()
    assert (document["verdict"], document["code"]) == ("ACCEPT", "")
    layers = {layer["name"]: layer["reached"] for layer in document["ledger"]["layers"]}
    assert layers["attested"] and layers["rechecked"]
    assert document["claims"]["evidence"][0]["simulated"] is False
    other = replace(plain, nonce=bytes(32), evidence=(("tpm2-quote@v1", members),)).build()
    replayed = service.verify(other, nonce=bytes(32).hex(), model=model).json()
    assert replayed["verdict"] == "REJECT" and replayed["code"].startswith("evidence.tpm2.")
    assert public(NODE).hex() not in start.policy.read_text()
