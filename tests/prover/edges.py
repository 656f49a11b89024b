# SPDX-License-Identifier: AGPL-3.0-or-later
"""Numbers that fast arithmetic gets wrong first."""

from __future__ import annotations

import numpy as np

from verifier.proof.field import P

EDGES = np.array([0, 1, 2, P - 1, P - 2, (1 << 32) - 1, 1 << 32, (1 << 32) + 1, 1 << 63, P - (1 << 32)], np.uint64)


def words(rng, *shape):
    """Residues, a third of them at the edges of what 32-bit halves and the modulus make special."""
    drawn = rng.integers(0, P, shape, dtype=np.uint64)
    return np.where(rng.integers(0, 3, shape) == 0, rng.choice(EDGES, shape), drawn)
