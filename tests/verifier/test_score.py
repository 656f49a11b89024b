# SPDX-License-Identifier: AGPL-3.0-or-later
"""The score is monotone, bounded, and adds up."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from attestation import simulated
from verifier import Known, verify
from verifier.score import FULL, integrity_score
from verifier.verdict import Check, Outcome

from .making import AT, NONCE, Making, inputs, small_circuit, trusting

IDS = (
    "receipt.signature", "receipt.signer", "receipt.context", "request.nonce", "request.input", "model.circuit",
    "model.weights", "model.profile", "answer.output", "answer.fit", "evidence[0].tpm2.signature", "evidence[1].x",
    "trace.root", "execution.recheck", "receipt.time",
)  # fmt: skip
RANK = {Outcome.FAIL: 0, Outcome.SKIP: 1, Outcome.PASS: 2}
OUTCOMES = st.lists(st.sampled_from(Outcome), min_size=len(IDS), max_size=len(IDS))


def checks(outcomes):
    return [Check(name, outcome, "", "") for name, outcome in zip(IDS, outcomes, strict=True)]


@given(OUTCOMES, OUTCOMES)
def test_worse_never_scores_higher(one, other):
    worse = [min(pair, key=RANK.__getitem__) for pair in zip(one, other, strict=True)]
    assert integrity_score(checks(worse)).permille <= integrity_score(checks(one)).permille


@given(OUTCOMES)
def test_bounded_and_visible(outcomes):
    score = integrity_score(checks(outcomes))
    assert 0 <= score.permille <= FULL
    if Outcome.FAIL in outcomes:
        assert score.permille == 0
    else:
        assert score.permille == sum(component.points for component in score.components)


def test_extremes():
    assert integrity_score([]).permille == 0
    assert integrity_score(checks([Outcome.PASS] * len(IDS))).permille == FULL
    assert sum(component.weight for component in integrity_score([]).components) == 100


def test_simulated_evidence_adds_nothing():
    known = Known(small_circuit(), inputs(), NONCE)
    context = Making().receipt().context
    policy = trusting(profile="development", unsafe_accept_simulated=True)
    evidence = ((simulated.TYPE, simulated.SimulatedEvidence().collect(context)),)
    without = verify(Making().build(), at=AT, policy=policy, known=known)
    with_it = verify(replace(Making(), evidence=evidence).build(), at=AT, policy=policy, known=known)
    assert with_it.score.permille == without.score.permille
