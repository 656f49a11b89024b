# SPDX-License-Identifier: AGPL-3.0-or-later
"""Exact bounds of weighted sums, without overflow on hostile weights."""

from __future__ import annotations

import numpy as np

from circuits.circuit import IntArray
from circuits.errors import MalformedError
from circuits.gates.rule import Bounds
from circuits.limits import MAGNITUDE


def too_wide(name: str, reach: float) -> MalformedError:
    """The refusal of a gate whose values or partial sums may reach 2^53."""
    return MalformedError(
        "circuit.bounds.too-wide",
        f"gate {name!r}: values or partial sums may reach {reach:.4g}; required below 2^53",
        "use fewer bits for weights or activations, or requantise before this gate",
    )


def weighted_sum(name: str, weights: IntArray, bias: IntArray, lo: int, hi: int) -> Bounds:
    """Bounds over rows r of sum_k weights[r, k] * x_k + bias[r] for x_k in [lo, hi].

    weights [R, K], bias [R]. A float64 estimate (relative error far below 1/2) excludes overflow first; the
    rest is exact in int64.
    """
    largest = max(abs(lo), abs(hi), 1)
    norm = np.abs(weights).sum(axis=1, dtype=np.float64)
    estimate = float((norm * largest + np.abs(bias)).max())
    if estimate >= 4 * MAGNITUDE:  # the reach is more than half of it; twice the room for rounding
        raise too_wide(name, estimate)
    positive = np.maximum(weights, 0).sum(axis=1)
    negative = np.minimum(weights, 0).sum(axis=1)
    # A partial sum takes any subset of the terms, and zeros from padding: at one extreme all terms that can be
    # positive, at the other all that can be negative.
    above, below = max(hi, 0), max(-lo, 0)
    most = np.maximum(positive * above - negative * below, positive * below - negative * above)
    reach = int((most + np.abs(bias)).max())
    if reach >= MAGNITUDE:
        raise too_wide(name, reach)
    return Bounds(
        int((positive * lo + negative * hi + bias).min()),
        int((positive * hi + negative * lo + bias).max()),
        reach,
    )
