# SPDX-License-Identifier: AGPL-3.0-or-later
"""Collateral that travels with evidence: fetched once a session, renewed in time, and enough for an audit offline."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from affidavit.collateral.lifetime import expires
from affidavit.collateral.source import Piece
from affidavit.collateral.travelling import RETRY, TravellingProducer, pack_members
from attestation.collateral import sort_collateral
from attestation.simulated import SimulatedEvidence
from attestation.snp.producer import SnpProducer
from attestation.tsm.configfs import get_report
from circuits import dump_circuit
from node import Node
from node.request import RealInput, Request
from tests.attestation.intel import making
from tests.attestation.nvidia import paper as nvidia
from tests.attestation.producers.kernel import PaperKernel
from tests.attestation.snp import paper as amd
from tests.collateral.vendors import AT, Clock
from tests.node.making import inputs, small_circuit
from verifier import Known, Policy, Verdict, read_affidavit, verify
from verifier.appraisal.carried import split_members
from verifier.errors import OperationalError
from verifier.profiles import Demands
from verifier.receipt import MAX_EVIDENCE_MEMBERS

DAY = timedelta(days=1)
FAR = datetime(2126, 1, 1, tzinfo=UTC)


def piece(data: bytes) -> Piece:
    return Piece("x", "y", data, "http://x/", AT, expires(data))


class Vendor:
    """Pieces on demand, or an outage."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces, self.asked, self.down = pieces, 0, False

    def __call__(self, type_, members):
        self.asked += 1
        if self.down:
            raise OperationalError("collateral.unavailable", "no answer", remedy="later")
        return tuple(map(piece, self.pieces))


@pytest.fixture
def clock():
    return Clock()


def wrap(vendor, clock, inner=None):
    notes: list[str] = []
    return TravellingProducer(inner or SimulatedEvidence(), vendor, notes.append, now=clock), notes


def carried(members):
    return {name for name in members if name.startswith("collateral.")}


def test_members_hold_everything():
    paper = making.Paper()
    files = [*paper.files().values(), *nvidia.rims(), *nvidia.responses(), amd.crl(), amd.der(amd.vek())]
    members = pack_members([*map(piece, files), piece(files[0])])
    assert sorted(members) == [f"collateral.{n}" for n in range(5)], "two documents, two RIMs, one file for the rest"
    native, found = split_members({"report": b"x", **members})
    assert native == {"report": b"x"} and set(found.items) == set(sort_collateral(files).items)
    assert pack_members([]) == {}


def test_once_a_session_and_again_after_a_day(clock):
    vendor = Vendor(amd.crl(end=AT + 10 * DAY))
    producer, notes = wrap(vendor, clock)
    for _ in range(3):
        assert carried(producer.collect(b"c" * 32)) == {"collateral.0"}
    assert vendor.asked == 1 and notes == [] and producer.simulated and producer.type == "simulated@v1"
    clock.at += DAY
    producer.collect(b"c" * 32)
    assert vendor.asked == 2 and "with collateral" in producer.describe()
    producer.close()


def test_renewed_before_it_expires(clock):
    vendor = Vendor(amd.crl(end=AT + timedelta(hours=2)))
    producer, _ = wrap(vendor, clock)
    producer.collect(b"c" * 32)
    clock.at += timedelta(hours=2) - RETRY
    producer.collect(b"c" * 32)
    assert vendor.asked == 2


def test_an_outage_is_said_once_in_a_while(clock):
    vendor = Vendor(amd.crl(end=AT + 2 * DAY))
    vendor.down = True
    producer, notes = wrap(vendor, clock)
    for _ in range(3):
        assert carried(producer.collect(b"c" * 32)) == set()
    assert vendor.asked == 1 and notes == ["no collateral: no answer (later)"]
    vendor.down, clock.at = False, clock.at + RETRY
    assert carried(producer.collect(b"c" * 32)) == {"collateral.0"}


def test_nobody_waits_for_a_renewal(clock):
    """While one thread asks a slow service again, others answer with what there is."""
    asking, answer = threading.Event(), threading.Event()

    class Slow(Vendor):
        def __call__(self, type_, members):
            if self.asked:
                asking.set()
                assert answer.wait(30)
            return super().__call__(type_, members)

    producer, _ = wrap(Slow(amd.crl(end=AT + 10 * DAY)), clock)
    producer.collect(b"c" * 32)
    clock.at += DAY
    renewing = threading.Thread(target=producer.collect, args=(b"c" * 32,))
    renewing.start()
    assert asking.wait(30)
    assert carried(producer.collect(b"c" * 32)) == {"collateral.0"}
    answer.set()
    renewing.join()


def test_expired_collateral_does_not_travel(clock):
    vendor = Vendor(amd.crl(end=AT + 2 * DAY))
    producer, notes = wrap(vendor, clock)
    producer.collect(b"c" * 32)
    vendor.down = True
    clock.at = AT + 2 * DAY - timedelta(seconds=1)
    assert carried(producer.collect(b"c" * 32)) == {"collateral.0"}, "an outage is bridged"
    clock.at = AT + 2 * DAY
    assert carried(producer.collect(b"c" * 32)) == set() and notes


def test_no_room(clock):
    class Many(SimulatedEvidence):
        def collect(self, challenge):
            return {f"member_{number}": b"x" for number in range(MAX_EVIDENCE_MEMBERS)}

    producer, notes = wrap(Vendor(amd.crl()), clock, Many())
    assert carried(producer.collect(b"c" * 32)) == set() and "room" in notes[0]


def test_an_audit_offline(tmp_path):
    """The whole way: kernel, node, affidavit; accepted by what it carries alone, and not without."""

    def platform(inblob, privlevel):
        return amd.report(report_data=inblob), b""

    ark, ask = amd.ca("ARK-Milan", end=FAR), amd.ca("SEV-Milan", "ARK-Milan", end=FAR)
    vendor = Vendor(amd.der(amd.vek(end=FAR)), amd.der(ask), amd.crl(end=FAR))
    inner = SnpProducer(source=partial(get_report, operations=PaperKernel(platform)))
    trust = amd.trust(roots=(amd.der(ark),), intermediates=(), require_crl=True)
    demands = Demands(revocation=False, bulletin_statuses=trust.bulletin_statuses)
    policy = Policy(
        profile="production",
        assurance=("signed", "attested"),
        evidence=("snp-report@v1",),
        trust={"snp": trust},
        # The format demands the list that AMD publishes (of its root); nobody publishes one of VCEKs.
        demands=demands,
    )
    circuit = small_circuit()
    for producer, verdict in (
        (TravellingProducer(inner, vendor, lambda text: None), Verdict.ACCEPT),
        (inner, Verdict.UNVERIFIABLE),
    ):
        with Node(tmp_path / verdict.value, producer) as node:
            node.models.put(dump_circuit(circuit))
            request = Request(circuit.digest, b"n" * 32, RealInput(inputs()), policy.id)
            answered = node.run(request)
        result = verify(
            answered.affidavit,
            at=datetime.now(UTC),
            policy=policy,
            known=Known(circuit=circuit, inputs=inputs(), nonce=b"n" * 32),
        )
        assert result.verdict is verdict, result.message
        [claim] = read_affidavit(answered.affidavit).receipt.evidence
        assert bool(carried(claim.members)) == (verdict is Verdict.ACCEPT)
