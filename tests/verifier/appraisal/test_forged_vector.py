# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a forger's evidence says is affirmed nowhere in the vector, whichever category its certificates speak for."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from attestation.ear.tiers import Tier
from attestation.snp import FORMAT
from tests.verifier.appraisal.making import FRESH, line
from verifier.appraisal import judge_file
from verifier.appraisal.trustworthiness import vector_of
from verifier.policy import profile_policy
from verifier.verdict import Verdict

VECTORS = Path(__file__).resolve().parents[2] / "vectors" / "snp"


def test_no_chain_no_claim():
    lines = (FRESH, line("x.chain", "FAIL", category="hardware"), line("x.measurement", category="executables"))
    vector = vector_of(lines, Verdict.REJECT)
    assert vector == {"instance-identity": Tier.NONE, "executables": Tier.NONE, "hardware": Tier.CONTRAINDICATED}
    open_ = (FRESH, line("x.chain", "SKIP", category="hardware"), line("x.measurement", category="executables"))
    assert set(vector_of(open_, Verdict.UNVERIFIABLE).values()) == {Tier.NONE}


def test_a_real_report_whose_chain_does_not_hold():
    [data] = [path.read_bytes() for path in VECTORS.rglob("live-evidence-genoa.json")]
    at = datetime(2026, 1, 1, tzinfo=UTC)
    found, _ = judge_file(FORMAT, data, challenge=None, at=at, policy=profile_policy("home"))
    assert found.code == "evidence.snp.vek-chain-expired" and found.status is Tier.CONTRAINDICATED
    assert Tier.AFFIRMING not in found.vector.values()


def test_nothing_is_affirmed_of_a_machine_that_is_not_established():
    """Neither without its identity although the hardware is, nor the other way round; nor by a warning alone."""
    chip, software = (
        line("evidence.fake.chain", category="hardware"),
        line("evidence.fake.boot", category="executables"),
    )
    for open_ in (line("evidence.fake.key", "SKIP"), line("evidence.fake.tcb", "SKIP", category="hardware")):
        vector = vector_of([line(), chip, software, open_], Verdict.UNVERIFIABLE)
        assert vector["executables"] is Tier.NONE
    assert set(vector_of([chip, software], Verdict.ACCEPT).values()) == {Tier.NONE}
    tolerated = line("evidence.fake.debug", category="configuration", warning=True)
    told = {verdict: vector_of([line(), tolerated], verdict)["configuration"] for verdict in list(Verdict)[:3]}
    assert told[Verdict.ACCEPT] is told[Verdict.REJECT] is Tier.WARNING and told[Verdict.UNVERIFIABLE] is Tier.NONE
