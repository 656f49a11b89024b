# SPDX-License-Identifier: AGPL-3.0-or-later
"""Attesting a node: what a false answer is refused for, and which piece decides."""

from __future__ import annotations

from typing import Any, cast

import pytest

from affidavit.attest import attest, session_files
from affidavit.errors import ClientError
from affidavit.transport import Transport
from attestation.simulated import SimulatedEvidence
from tests.attestation import paper
from tests.client.answering import KEYS, UNSAFE, Answering, Evidence
from verifier.context import LABEL
from verifier.policy import Policy
from verifier.verdict import Verdict


def asked(evidence: Evidence, /, policy: Policy = UNSAFE, **changes: Any) -> Any:
    return attest(cast("Transport", Answering(evidence, **changes)), policy=policy, at=paper.AT)


def simulated(challenge: bytes) -> list[tuple[str, dict[str, bytes]]]:
    return [("simulated@v1", SimulatedEvidence().collect(challenge))]


def quoted(challenge: bytes) -> list[tuple[str, dict[str, bytes]]]:
    return [("tpm2-quote@v1", paper.PaperTpm(extra_data=challenge).members())]


def test_a_tpm_bound_to_nonce_and_keys() -> None:
    found = asked(quoted)
    assert found.worst.verdict is Verdict.ACCEPT
    assert set(session_files(found, "http://x")) == {"session.json", "evidence-0.json"}


def test_collateral_travels_apart() -> None:
    def with_more(challenge: bytes) -> list[tuple[str, dict[str, bytes]]]:
        return [(quoted(challenge)[0][0], {**quoted(challenge)[0][1], "collateral.0": b"what others say"})]

    found = asked(with_more)
    assert found.worst.verdict is Verdict.ACCEPT
    files = session_files(found, "http://x")
    assert files["collateral-0/0.bin"] == b"what others say" and b"collateral." not in files["evidence-0.json"]


def test_the_weakest_piece_decides() -> None:
    assert asked(lambda c: quoted(c) + simulated(c), Policy(**{**UNSAFE.__dict__, "unsafe_accept_simulated": False})).worst.type == "simulated@v1"  # fmt: skip  # noqa: E501
    assert asked(lambda c: quoted(c) + quoted(bytes(32))).worst.verdict is Verdict.REJECT
    assert asked(lambda c: [*quoted(c), ("tpm2-quote@v1", {"x": b"y"})]).worst.verdict is Verdict.MALFORMED


def test_no_evidence() -> None:
    found = asked(lambda _: [])
    assert (found.worst.verdict, found.worst.code) == (Verdict.UNVERIFIABLE, "evidence.absent")


def test_evidence_for_another_challenge() -> None:
    for other in (bytes(32), LABEL.ljust(32, b"\0")):
        stolen = quoted(other)
        found = asked(lambda _, stolen=stolen: stolen)  # type: ignore[misc]
        assert (found.worst.verdict, found.worst.code) == (Verdict.REJECT, "evidence.tpm2.challenge-mismatch")


def test_collateral_that_is_too_much() -> None:
    flood = {f"collateral.{n}": b"-----BEGIN CERTIFICATE-----\n" for n in range(2)}
    found = asked(lambda c: [("tpm2-quote@v1", {**quoted(c)[0][1], **flood})])
    assert (found.worst.verdict, found.worst.code) == (Verdict.MALFORMED, "evidence.collateral.armour-malformed")
    assert "evidence-0.json" in session_files(found, "http://x")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"challenge": "00" * 32}, "client.keys.challenge-mismatch"),
        ({"sealing": "11" * 32}, "client.keys.signature-invalid"),
        ({"signature": "22" * 64}, "client.keys.signature-invalid"),
        ({"signing": "x"}, "client.response.malformed"),
        ({"evidence": "x"}, "client.response.malformed"),
    ],
)
def test_false_answers(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError) as caught:
        asked(quoted, **changes)
    assert caught.value.code == code


def test_a_policy_that_lists_nodes() -> None:
    with pytest.raises(ClientError) as caught:
        asked(quoted, Policy(**{**UNSAFE.__dict__, "nodes": frozenset({bytes(32)})}))
    assert caught.value.code == "client.keys.not-allowed"
    assert asked(quoted, Policy(**{**UNSAFE.__dict__, "nodes": frozenset({KEYS.signing})}))
