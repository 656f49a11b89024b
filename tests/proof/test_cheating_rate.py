# SPDX-License-Identifier: AGPL-3.0-or-later
"""The whole protocol at reduced parameters: cheats succeed as often as theirs should, and never above the bound.

`python scripts/cheating.py` does the same thousands of times and writes `benchmarks/results/cheating.json`.
"""

from __future__ import annotations

import pytest

from tests.proof.cheating import STRATEGIES, honest, looking_up, measure
from tests.proof.tiny import linear
from verifier.proof import commitment, soundness, statement
from verifier.proof.field import EXTENSION_BITS
from verifier.proof.transcript import Transcript

LEAST = 400


@pytest.mark.parametrize("name", STRATEGIES)
def test_rate(name):
    strategy = STRATEGIES[name]
    tries = max(LEAST, round(8 / strategy.rate))
    found = measure(strategy, tries)
    assert found.codes <= strategy.codes
    expected = tries * strategy.rate
    assert found.accepted > 0  # else nothing was measured
    assert abs(found.accepted - expected) <= 4 * expected**0.5 + 2
    for bound in (found.term, found.bound):
        assert found.bound < 1 and strategy.rate <= bound
        assert found.accepted / tries <= bound + 4 * (bound / tries) ** 0.5


@pytest.mark.parametrize("name", STRATEGIES)
def test_no_luck_at_the_real_parameters(name):
    found = measure(STRATEGIES[name], 12, full=True)
    assert found.accepted == 0 and found.codes <= STRATEGIES[name].codes


@pytest.mark.parametrize(("circuit", "size", "queries"), [(looking_up, 256, 20), (linear, 64, 2)])
def test_the_truth_always_passes(circuit, size, queries):
    honest(circuit(), size, queries, 30)


def test_nothing_stays_reduced():
    measure(STRATEGIES["fingerprints that collide"], 1)
    left = [(statement, "Transcript"), (soundness, "EXTENSION_BITS"), (soundness, "QUERIES"), (commitment, "QUERIES")]
    assert [getattr(*place) for place in left] == [Transcript, EXTENSION_BITS, 150, 150]
    assert soundness.REQUIRED_BITS == 100
