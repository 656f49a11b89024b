# SPDX-License-Identifier: AGPL-3.0-or-later
"""Integrity score: one number in thousandths, computed from the checks and from nothing else.

::

    score = 0                                   if any check is FAIL
    score = sum(floor(1000 * w_i * v_i / 100))  otherwise, over the components below

``v_i`` is the share of the component's checks that PASS (a component without checks has 0); of ``machine`` the
evidence's own integrity score (:mod:`verifier.appraisal.score`), the lowest where there are several pieces. PASS ->
SKIP lowers a share and anything -> FAIL gives 0, so worse evidence never scores higher. A check that rests on a
method of 0 bits (simulated evidence) adds nothing. Weights:

==============  ======  =================================================================
component       weight  checks
==============  ======  =================================================================
signature       15      receipt.signature, receipt.signer
binding         10      receipt.context
freshness       10      request.nonce
model           15      model.circuit, model.weights, model.profile
input           10      request.input, private.*
answer          10      answer.output
machine         15      evidence.*, by their own score
execution       15      trace.*, execution.*, proof
==============  ======  =================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from verifier.verdict import Check, Outcome

FULL = 1000

_COMPONENTS: tuple[tuple[str, int, tuple[str, ...]], ...] = (
    ("signature", 15, ("receipt.signature", "receipt.signer")),
    ("binding", 10, ("receipt.context",)),
    ("freshness", 10, ("request.nonce",)),
    ("model", 15, ("model.",)),
    ("input", 10, ("request.input", "private.")),
    ("answer", 10, ("answer.",)),
    ("machine", 15, ("evidence",)),
    ("execution", 15, ("trace.", "execution.", "proof")),
)


@dataclass(frozen=True)
class Component:
    """One line of the score: ``passed`` of ``total`` checks, with its weight in percent; of ``machine`` thousandths."""

    name: str
    weight: int
    passed: int
    total: int

    @property
    def points(self) -> int:
        """Contribution in thousandths, rounded down."""
        return self.weight * 10 * self.passed // self.total if self.total else 0


@dataclass(frozen=True)
class Score:
    """The integrity score in thousandths with its components."""

    permille: int
    components: tuple[Component, ...]


def integrity_score(checks: Sequence[Check], machine: int | None = None) -> Score:
    """Compute the score of a list of checks.

    ``machine`` is the evidence's own score in thousandths; ``None`` where only its lines are known, whose share counts.
    """
    components = []
    for name, weight, prefixes in _COMPONENTS:
        if name == "machine" and machine is not None:
            components.append(Component(name, weight, machine, FULL))
            continue
        members = [check for check in checks if check.id.startswith(prefixes)]
        components.append(
            Component(name, weight, sum(check.passed and check.bits != 0 for check in members), len(members))
        )
    failed = any(check.outcome is Outcome.FAIL for check in checks)
    total = 0 if failed else sum(component.points for component in components)
    return Score(min(total, FULL), tuple(components))
