# SPDX-License-Identifier: AGPL-3.0-or-later
"""The prover's side of `verifier.proof.sumcheck.check_inner_product`."""

from __future__ import annotations

from functools import partial

import numpy as np

from prover import kernels
from prover.messages import Writer
from prover.threads import LONG, spread
from verifier.proof.field import Element, quadratic, sub
from verifier.proof.modular import Words
from verifier.proof.transcript import Transcript


def prove_inner_product(
    writer: Writer, transcript: Transcript, vector: Words, weights: Words, log_length: int, claim: Element, label: str
) -> list[Element]:
    """Sumcheck of <vector, weights> = claim; returns the point.

    vector [n] and weights [2, n] may be shorter than 2^log_length, where they are zero.
    """
    v = np.empty((4, len(vector)), np.uint64)
    v[0], v[1], v[2:] = vector, 0, weights
    size, used, point = 1 << log_length, len(vector), list[Element]()
    while size > 1:
        half = size >> 1
        both, low = max(0, used - half), min(used, half)  # entries with a high partner; those of the low half
        sums = sum(spread(partial(kernels.inner_round, v, size), both, LONG))
        if low > both:  # the partner is zero: the same product at 0 and as leading coefficient
            rest = kernels.inner_low(v, both, low)
            sums = sums + np.concatenate([rest, rest])
        at_zero, leading = kernels.settle(sums, 0), kernels.settle(sums, 4)
        writer.elements(label, [at_zero, leading], transcript)
        r = transcript.challenge(label)
        challenge = np.array(r, np.uint64)
        spread(partial(kernels.bind, v, size, challenge), both, LONG)
        if low > both:
            kernels.scale_rows(v, np.array(sub((1, 0), r), np.uint64), both, low)
        size, used = half, low
        claim = quadratic(at_zero, sub(claim, at_zero), leading, r)
        point.append(r)
    return point
