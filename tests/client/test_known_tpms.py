# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a client keeps of the clocks of nodes' TPMs: forward is kept, backward is noticed."""

from __future__ import annotations

import stat
import threading
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest

from affidavit import NotAccepted
from affidavit.attest import attest
from affidavit.client import Client
from affidavit.errors import ClientError
from affidavit.exchange import Question, ask
from affidavit.known_tpms import KnownTpms
from affidavit.transport import Transport
from attestation.clock import Counters, later, merge
from attestation.tpm2.ak import load_ak
from node.request import Request
from tests.attestation import paper
from tests.client.answering import UNSAFE, Answering
from tests.verifier.making import NODE, Making, public
from verifier.policy import Policy
from verifier.verdict import Verdict

KEY = load_ak(paper.PaperTpm().members()).fingerprint
BACKWARDS = "evidence.tpm2.counters-backwards"


def test_file(tmp_path: Path) -> None:
    tpms = KnownTpms(tmp_path / "new" / "known_tpms")
    assert tpms.read() == {}
    tpms.update({}, accepted=True)
    assert not tpms.path.exists()
    said = {bytes(32): Counters(5, 1, 0), b"\xff" * 32: Counters((1 << 64) - 1, (1 << 32) - 1, 0)}
    tpms.update(said, accepted=False)
    assert tpms.read() == {}, "a key seen for the first time must be vouched for"
    tpms.update(said, accepted=True)
    assert tpms.read() == said
    assert stat.S_IMODE(tpms.path.stat().st_mode) == 0o600
    assert tpms.path.read_text().splitlines()[0] == f"{'00' * 32} 5 1 0"
    tpms.update({bytes(32): Counters(4, 1, 0)}, accepted=True)
    assert tpms.read() == said, "nothing goes back"
    tpms.update({bytes(32): Counters(1, 2, 0)}, accepted=False)
    assert tpms.read()[bytes(32)] == Counters(1, 2, 0)


@pytest.mark.parametrize(
    "text",
    ["x\n", "00" * 32 + " 1 2\n", "00" * 32 + f" {1 << 64} 1 1\n", "00" * 32 + f" 1 {1 << 32} 1\n",
     ("00" * 32 + " 1 1 1\n") * 2, "é\n", "00" * 32 + " -1 1 1\n", "0" * (1 << 21)],
)  # fmt: skip
def test_a_file_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "known_tpms").write_text(text)
    for use in (KnownTpms(tmp_path / "known_tpms").read, lambda: KnownTpms(tmp_path / "known_tpms").update({KEY: Counters(1, 1, 1)}, accepted=True)):  # fmt: skip  # noqa: E501
        with pytest.raises(ClientError) as caught:
            use()
        assert caught.value.code == "client.known-tpms.unreadable"
    assert (tmp_path / "known_tpms").read_text() == text


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ClientError) as caught:
        KnownTpms(tmp_path / "file" / "known_tpms").update({KEY: Counters(1, 1, 1)}, accepted=True)
    assert caught.value.code == "client.known-tpms.unwritable"
    (tmp_path / "known_tpms.lock").mkdir()
    with pytest.raises(ClientError) as caught:
        KnownTpms(tmp_path / "known_tpms").update({KEY: Counters(1, 1, 1)}, accepted=True)
    assert caught.value.code == "client.known-tpms.unwritable"


def test_clients_that_learn_at_once_forget_nothing(tmp_path: Path) -> None:
    together = threading.Barrier(6)

    def learn(own: int) -> None:
        together.wait()
        KnownTpms(tmp_path / "known_tpms").update({bytes([own]) * 32: Counters(own, 1, 0), KEY: Counters(own, 1, 0)}, accepted=True)  # fmt: skip  # noqa: E501

    threads = [threading.Thread(target=learn, args=(own,)) for own in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert KnownTpms(tmp_path / "known_tpms").read() == {
        **{bytes([own]) * 32: Counters(own, 1, 0) for own in range(6)},
        KEY: Counters(5, 1, 0),
    }


def test_order_of_sayings() -> None:
    ascending = [Counters(9, 1, 0), Counters(10, 1, 0), Counters(0, 1, 1), Counters(0, 2, 0), Counters(0, 1 << 31, 0)]
    for earlier, after in pairwise(ascending):
        assert later(earlier, after) == after == later(after, earlier)
    assert later(None, ascending[0]) == later(ascending[0], ascending[0]) == ascending[0]
    assert merge({b"a": ascending[0]}, {b"a": ascending[1], b"b": ascending[0]}) == {
        b"a": ascending[1],
        b"b": ascending[0],
    }


def asked(tpms: KnownTpms, **said: Any) -> Any:
    """As the command does it: read, ask, keep."""

    def evidence(challenge: bytes) -> list[tuple[str, dict[str, bytes]]]:
        return [("tpm2-quote@v1", paper.PaperTpm(extra_data=challenge, **said).members())]

    found = attest(cast("Transport", Answering(evidence)), policy=UNSAFE, at=paper.AT, seen=tpms.read())
    for judged in found.judgements:
        tpms.update(judged.clocks, accepted=judged.verdict is Verdict.ACCEPT)
    return found.worst


def test_attesting_a_node_twice(tmp_path: Path) -> None:
    tpms = KnownTpms(tmp_path / "known_tpms")
    assert asked(tpms, clock=1000).verdict is Verdict.ACCEPT
    assert asked(tpms, clock=1001).verdict is Verdict.ACCEPT
    for said in ({"clock": 1000}, {"clock": 2000, "resets": 0}):
        found = asked(tpms, **said)
        assert (found.verdict, found.code) == (Verdict.REJECT, BACKWARDS)
    assert tpms.read() == {KEY: Counters(1001, 1, 2)}


# The SDK, without a network: questions and answers as files.

POLICY = Policy(
    name="test", assurance=("signed", "attested"), nodes=frozenset({public(NODE)}), evidence=("tpm2-quote@v1",),
    trust={"tpm2": paper.trust()},
)  # fmt: skip


class Asking(Client):
    """A client that is given its answers."""

    def question(self) -> Question:
        return self.prepare(Making().circuit, Making().inputs)


def answer_to(question: Question, **said: Any) -> bytes:
    request: Request = question.request
    times = {"received_at": "2026-06-01T11:59:58Z", "completed_at": "2026-06-01T11:59:59Z"}
    plain = Making(nonce=request.nonce, policy=request.policy, change=times)
    challenge = plain.context(plain.receipt()).digest
    members = paper.PaperTpm(extra_data=challenge, **said).members()
    return replace(plain, evidence=(("tpm2-quote@v1", members),)).build()


def test_answers(tmp_path: Path) -> None:
    path = tmp_path / "known_tpms"
    with Asking("http://127.0.0.1:9", policy=POLICY, clock=lambda: paper.AT, known_tpms=path) as client:
        first, second = client.question(), client.question()
        assert client.believe(second, answer_to(second, clock=2000)).outputs
        assert client.believe(first, answer_to(first, clock=1000)).outputs, "asked before the other was answered"
        third = client.question()
        with pytest.raises(NotAccepted) as caught:
            client.believe(third, answer_to(third, clock=1500))
        assert caught.value.code == BACKWARDS and caught.value.result.verdict is Verdict.REJECT
    assert KnownTpms(path).read() == {KEY: Counters(2000, 1, 2)}
    with Asking("http://127.0.0.1:9", policy=POLICY, clock=lambda: paper.AT) as forgetful:
        question = forgetful.question()
        assert question.seen == {} and forgetful.believe(question, answer_to(question, clock=1)).outputs


def test_a_question_without_memory_is_as_before() -> None:
    question = ask(Making().circuit, Making().inputs, policy=POLICY)
    assert question.seen == {}
