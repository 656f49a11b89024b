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
    writer: Writer, transcript: Transcript, vector: Words, weights: Words, claim: Element, label: str
) -> list[Element]:
    """Sumcheck of <vector, weights> = claim; returns the point."""
    size = len(vector)
    v = np.empty((4, size), np.uint64)
    v[0], v[1], v[2:] = vector, 0, weights
    point = []
    while size > 1:
        sums = sum(spread(partial(kernels.inner_round, v, size), size >> 1, LONG))
        at_zero, leading = kernels.settle(sums, 0), kernels.settle(sums, 4)
        writer.elements(label, [at_zero, leading], transcript)
        r = transcript.challenge(label)
        spread(partial(kernels.bind, v, size, np.array(r, np.uint64)), size >> 1, LONG)
        size >>= 1
        claim = quadratic(at_zero, sub(claim, at_zero), leading, r)
        point.append(r)
    return point
