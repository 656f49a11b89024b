# SPDX-License-Identifier: AGPL-3.0-or-later
"""Challenges and the zeros behind them: what is padded is told apart from what ends in zeros, or stays open."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation.contract import Check
from attestation.freshness import freshness
from attestation.tpm2.attest import parse_attest
from attestation.tpm2.quote import check_challenge
from tests.attestation.intel.judging import judge as judge_intel
from tests.attestation.intel.making import Paper
from tests.attestation.paper import PaperTpm
from tests.attestation.snp import paper as snp

AMBIGUOUS = "evidence.challenge-ambiguous"
FIELD = 64


def fresh(observed: bytes, challenge: bytes) -> Check:
    return freshness(observed, challenge, "evidence.x.challenge", "evidence.x")


@pytest.mark.parametrize(
    ("challenge", "outcome"),
    [
        (b"\1", "PASS"),
        (b"\1\0", "SKIP"),
        (b"\1" * 16, "PASS"),
        (b"\1" * 15 + b"\0", "SKIP"),
        (b"\1" * 30 + b"\0", "SKIP"),
        (b"\1" * 31 + b"\0", "PASS"),  # every 256th of this project's own
        (b"\1" * 47 + b"\0", "PASS"),
        (b"\1" * 63 + b"\0", "PASS"),  # all of the field
        (b"\0", "SKIP"),  # nobody's challenge at all
        (bytes(32), "SKIP"),
        (bytes(64), "PASS"),
    ],
)
def test_zeros_at_the_end(challenge: bytes, outcome: str) -> None:
    padded = challenge.ljust(FIELD, b"\0")
    line = fresh(padded, challenge)
    assert (line.outcome, line.code) == (outcome, "" if outcome == "PASS" else AMBIGUOUS)
    assert line.demanded, "open, and the appraisal with it"
    assert fresh(challenge, challenge).outcome == "PASS", "without padding nothing is ambiguous"
    quoted = check_challenge(parse_attest(PaperTpm(extra_data=padded).members()["attest"]), challenge)
    assert (quoted.outcome, quoted.code) == (line.outcome, line.code)
    assert (
        check_challenge(parse_attest(PaperTpm(extra_data=challenge).members()["attest"]), challenge).outcome == "PASS"
    )


@given(st.binary(min_size=1, max_size=31), st.integers(1, 8))
def test_no_two_short_challenges_are_met_by_one_report(challenge: bytes, zeros: int) -> None:
    longer = (challenge + bytes(zeros))[:31]
    field = challenge.ljust(FIELD, b"\0")
    if longer != challenge:
        assert [fresh(field, asked).outcome for asked in (challenge, longer)].count("PASS") <= 1
    assert fresh(field, challenge + b"\1").code == "evidence.x.challenge-mismatch"


def test_formats() -> None:
    """Report data of SNP and TDX, all of whose other lines hold."""
    asked = b"nonce\0"
    report = snp.report(report_data=asked.ljust(FIELD, b"\0"))
    for challenge, outcome in ((asked, "SKIP"), (asked.ljust(FIELD, b"\0"), "PASS"), (b"nonce", "PASS")):
        found = snp.judge(report, challenge=challenge)
        assert found.checks[0].id == "evidence.snp.challenge" and found.checks[0].outcome == outcome
        assert found.passed is (outcome == "PASS")
        paper = Paper(body={"report_data": asked.ljust(FIELD, b"\0")})
        lines = {check.id: check for check in judge_intel(paper, challenge=challenge).checks}
        assert lines["evidence.tdx.challenge"].outcome == outcome
