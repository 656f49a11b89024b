# SPDX-License-Identifier: AGPL-3.0-or-later
"""Several sources as one: each answers a challenge of its own, and the whole is what `appraise` takes."""

from __future__ import annotations

import pytest

from attestation import cmw
from attestation.cmw.collection import parse
from attestation.cmw.producer import CollectionProducer
from attestation.contract import Appraisal
from attestation.errors import MalformedError, OperationalError
from attestation.simulated import SimulatedEvidence
from tests.attestation import paper

AT, SESSION = paper.AT, bytes(range(32))


class PaperSource:
    """A paper TPM as a node has it; what it is asked and whether it is closed."""

    type, simulated = "tpm2-quote@v1", False

    def __init__(self, broken: str = "", **tpm: object) -> None:
        self.asked: list[bytes] = []
        self.closed, self.broken, self.tpm = 0, broken, tpm

    def describe(self) -> str:
        return "paper TPM"

    def collect(self, challenge: bytes) -> dict[str, bytes]:
        if self.broken == "collect":
            raise OperationalError("evidence.tpm2.device-failed", "no answer")
        self.asked.append(challenge)
        return paper.PaperTpm(extra_data=challenge, **self.tpm).members()  # type: ignore[arg-type]

    def close(self) -> None:
        self.closed += 1
        if self.broken == "close":
            raise OperationalError("evidence.tpm2.device-failed", "stuck")


def judge(members: dict[str, bytes], session: bytes = SESSION) -> Appraisal:
    trust = cmw.CmwTrust(trusts={"tpm2": paper.trust()})
    return cmw.appraise(members, challenge=session, at=AT, trust=trust)


def test_two_sources_in_one_session() -> None:
    one, other = PaperSource(), PaperSource(key=paper.key_pair("p384", 4))
    producer = CollectionProducer({"tpm": one, "other": other})
    assert (producer.type, producer.simulated) == ("cmw-collection@v1", False)
    assert producer.describe() == "other: paper TPM and tpm: paper TPM"
    members = producer.collect(SESSION)
    found = judge(members)
    assert found.passed, found.failed
    assert set(found.claims["pieces"]) == {"tpm", "other"} and len(found.clocks) == 2
    assert one.asked != other.asked and SESSION not in one.asked + other.asked
    assert not judge(members, bytes(32)).passed and judge(members, bytes(32)).clocks == {}
    again = producer.collect(bytes(32))
    mixed = parse(members["collection"]), parse(again["collection"])
    spliced = cmw.Collection(SESSION, {"tpm": mixed[0].pieces["tpm"], "other": mixed[1].pieces["other"]})
    assert judge({"collection": cmw.encode(spliced)}).failed
    alone = cmw.Collection(SESSION, {"tpm": mixed[0].pieces["tpm"]})
    assert judge({"collection": cmw.encode(alone)}).failed


def test_a_simulated_source_makes_all_of_it_simulated() -> None:
    producer = CollectionProducer({"tpm": PaperSource(), "simulated": SimulatedEvidence()})
    assert producer.simulated
    trust = cmw.CmwTrust(trusts={"tpm2": paper.trust()}, accept=frozenset({"tpm2-quote@v1", "simulated@v1"}))
    found = cmw.appraise(producer.collect(SESSION), challenge=SESSION, at=AT, trust=trust)
    assert found.simulated and not found.passed and not found.failed


def test_a_source_that_does_not_deliver() -> None:
    producer = CollectionProducer({"tpm": PaperSource(), "other": PaperSource("collect")})
    with pytest.raises(OperationalError) as caught:
        producer.collect(SESSION)
    assert caught.value.code == "evidence.tpm2.device-failed"


def test_closing_reaches_every_source() -> None:
    sources = {"a": PaperSource("close"), "b": PaperSource("close"), "c": PaperSource()}
    with pytest.raises(OperationalError):
        CollectionProducer(sources).close()
    assert [source.closed for source in sources.values()] == [1, 1, 1]


@pytest.mark.parametrize("challenge", [b"", bytes(31), bytes(64)])
def test_challenges_that_no_collection_takes(challenge: bytes) -> None:
    with pytest.raises(OperationalError) as caught:
        CollectionProducer({"tpm": PaperSource()}).collect(challenge)
    assert caught.value.code == "evidence.cmw.challenge-length"


@pytest.mark.parametrize("labels", [(), ("TPM",), ("session",), tuple(f"s{i}" for i in range(17))])
def test_labels_that_no_collection_has(labels: tuple[str, ...]) -> None:
    with pytest.raises(MalformedError) as caught:
        CollectionProducer({label: PaperSource() for label in labels})
    assert caught.value.code == "evidence.cmw.collection-malformed"


def test_more_than_any_collection_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attestation.cmw.producer.MAX_COLLECTION", 1000)
    with pytest.raises(OperationalError) as caught:
        CollectionProducer({"tpm": PaperSource()}).collect(SESSION)
    assert caught.value.code == "evidence.cmw.collection-too-large"
