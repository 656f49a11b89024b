# SPDX-License-Identifier: AGPL-3.0-or-later
"""LogUp: every looked-up row is in its table, as one sum of fractions that is zero.

::

    sum over lookups of 1 / (alpha - f)  -  sum over table rows of m / (alpha - t)  =  0
    (P_k, Q_k)[j] = (P[j]*Q[j'] + P[j']*Q[j], Q[j]*Q[j'])   of level k+1, j' = j + 2^k    adding fractions pairwise

Leaves are 1 / (alpha - f) for lookups, whose idle rows hold a row of the table, -m / (alpha - t), and 0/1 where unused.
As an identity of rational functions in alpha (and gamma, which
combines the columns of a row) it says that the looked-up multiset is in the tables, since the multiplicities counted by
it are below the characteristic.  From the root down, one sumcheck per level moves the claim on (P_k, Q_k) at a point to
level k+1; it ends in a claim on the leaves.
"""

from __future__ import annotations

from typing import NamedTuple

from verifier.errors import RejectedError
from verifier.proof.field import ZERO, Element, add, interpolate, mul
from verifier.proof.sumcheck import check_weighted
from verifier.proof.transcript import Transcript
from verifier.proof.wire import Reader


class LeafClaim(NamedTuple):
    """What the numerators and denominators must be at a point of the leaves."""

    point: list[Element]
    numerator: Element
    denominator: Element


def check_fractions(reader: Reader, transcript: Transcript, log_leaves: int) -> LeafClaim:
    """The sum of 2^log_leaves >= 2 fractions is 0.  Raises RejectedError proof.lookup.*."""
    p0, p1, q0, q1 = sent = reader.elements(4, "lookup root")
    transcript.absorb_elements("lookup root", sent)
    if add(mul(p0, q1), mul(p1, q0)) != ZERO:
        raise RejectedError("proof.lookup.sum", "the lookup fractions do not add up to zero")
    if mul(q0, q1) == ZERO:
        raise RejectedError("proof.lookup.pole", "a lookup denominator is zero")
    t = transcript.challenge("lookup child")
    point, p, q = [t], interpolate(p0, p1, t), interpolate(q0, q1, t)
    for _ in range(1, log_leaves):
        mix = transcript.challenge("lookup mix")
        reached, claim = check_weighted(reader, transcript, add(p, mul(mix, q)), point, "lookup")
        p0, p1, q0, q1 = sent = reader.elements(4, "lookup children")
        if add(mul(p0, q1), mul(q0, add(p1, mul(mix, q1)))) != claim:
            raise RejectedError("proof.lookup.children", "the children do not add up to the claim on their parents")
        transcript.absorb_elements("lookup children", sent)
        t = transcript.challenge("lookup child")
        point, p, q = [t, *reached], interpolate(p0, p1, t), interpolate(q0, q1, t)
    return LeafClaim(point, p, q)
