# SPDX-License-Identifier: AGPL-3.0-or-later
"""The prover's side of `verifier.proof.sumcheck.check_inner_product`."""

from __future__ import annotations

from functools import partial

import numpy as np

from prover import inner_kernels, kernels
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
    size, used, point = 1 << log_length, len(vector), list[Element]()
    v: Words | None = None  # vector and weights [2, 2, n], once the first variable is bound
    while size > 1:
        half = size >> 1
        both, low = max(0, used - half), min(used, half)  # entries with a high partner; those of the low half
        with_partner = partial(inner_kernels.first_round, vector, weights, size)
        alone = partial(inner_kernels.first_low, vector, weights)
        if v is not None:
            with_partner, alone = partial(inner_kernels.inner_round, v, size), partial(inner_kernels.inner_low, v)
        parts = spread(with_partner, both, LONG)
        parts += spread(lambda a, b, f=alone, n=both: f(n + a, n + b), low - both, LONG)  # type: ignore[misc]
        at_zero, leading = kernels.settle(parts)
        writer.elements(label, [at_zero, leading], transcript)
        r = transcript.challenge(label)
        challenge = np.array(r, np.uint64)
        if v is None:
            v = np.empty((2, 2, low), np.uint64)
            spread(partial(inner_kernels.first_bind, vector, weights, size, challenge, v), low, LONG)
        else:
            spread(partial(kernels.bind, v, 2, size, challenge), both, LONG)
            inner_kernels.scale(v, np.array(sub((1, 0), r), np.uint64), both, low)
        size, used = half, low
        claim = quadratic(at_zero, sub(claim, at_zero), leading, r)
        point.append(r)
    return point
