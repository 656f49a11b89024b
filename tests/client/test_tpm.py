# SPDX-License-Identifier: AGPL-3.0-or-later
"""The whole way with a software TPM: sealed to keys it vouches for, believed by a policy that knows its maker."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from affidavit import Client, ClientError, NotAccepted
from attestation.producers import Producer
from attestation.tpm2 import Tpm2Trust
from attestation.tpm2.authority import make_authority
from attestation.tpm2.producer import Tpm2Producer
from attestation.tpm2.registrar import Registrar
from attestation.tpm2.software import SoftwareTpm
from circuits import dump_circuit
from node import Node
from node.settings import Settings
from tests.node.making import inputs, serving, small_circuit
from verifier import Policy, Verdict, read_affidavit

pytestmark = pytest.mark.swtpm
CIRCUIT = small_circuit()


@pytest.fixture(scope="module")
def machine() -> Iterator[tuple[Producer, Policy]]:
    """An enrolled software TPM, and a production policy that trusts its maker and the attestation CA."""
    now = datetime.now(UTC)
    with SoftwareTpm(at=now) as tpm:
        producer = Tpm2Producer(tpm.open(), ek_kind=tpm.kind, event_log=tpm.event_log)
        authority = make_authority("test CA", now - timedelta(minutes=5), timedelta(days=1))
        registrar = Registrar(authority, (tpm.maker.der,))
        credential, pending = registrar.challenge(producer.enrolment(), now)
        producer.certify(registrar.issue(pending, producer.activate(credential), now))
        roots = Tpm2Trust(ek_roots=(tpm.maker.der,), ak_issuers=(authority.der,))
        yield (
            producer,
            Policy(
                profile="production",
                assurance=("signed", "attested"),
                evidence=("tpm2-quote@v1",),
                trust={"tpm2": roots},
            ),
        )
        producer.close()


def test_attested_in_clear_and_sealed(tmp_path: Path, machine: tuple[Producer, Policy]) -> None:
    producer, policy = machine
    Node(tmp_path).models.put(dump_circuit(CIRCUIT))
    with serving(Settings(tmp_path, port=0, threads=1), _Borrowed(producer)) as found:
        with Client(found.url, policy=policy) as client:
            for seal in (False, True):
                answer = client.infer(CIRCUIT, inputs(), seal=seal)
                assert answer.result.verdict is Verdict.ACCEPT
                assert answer.result.ledger.reached("attested")
                (claim,) = read_affidavit(answer.affidavit).receipt.evidence
                assert claim.type == "tpm2-quote@v1"
        stranger = make_authority("stranger", datetime.now(UTC) - timedelta(minutes=5), timedelta(days=1))
        distrusting = replace(policy, trust={"tpm2": Tpm2Trust(ek_roots=(stranger.der,), ak_issuers=(stranger.der,))})
        with Client(found.url, policy=distrusting) as client:
            with pytest.raises(NotAccepted) as caught:
                client.infer(CIRCUIT, inputs())
            assert caught.value.result.verdict is not Verdict.ACCEPT
            with pytest.raises(ClientError) as refused:
                client.infer(CIRCUIT, inputs(), seal=True)
            assert refused.value.code == "client.keys.untrusted", "nothing is sealed to keys that nobody vouches for"


class _Borrowed:
    """A source that outlives the node that uses it."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self.type, self.simulated = producer.type, producer.simulated

    def describe(self) -> str:
        return self._producer.describe()

    def collect(self, challenge: bytes) -> dict[str, bytes]:
        return self._producer.collect(challenge)

    def close(self) -> None:
        pass
