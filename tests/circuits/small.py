# SPDX-License-Identifier: AGPL-3.0-or-later
"""The smallest network with a middle."""

from __future__ import annotations

import numpy as np

from circuits import Circuit, CircuitBuilder


def small_layers(builder: CircuitBuilder, x: int, weight: int = 3) -> Circuit:
    """dense 4 -> 3, requantised, dense 3 -> 2 behind tensor `x` of shape (4,); output y (2,) float32."""
    w1 = builder.constant("w1", np.array([[weight, -1, 2], [1, 1, -2], [0, 5, 1], [-1, 2, 2]]))
    b1 = builder.constant("b1", np.array([4, 4, 4]))
    h = builder.gate("dense", "hidden", [x], [w1, b1])
    shift = builder.constant("shift", np.array([3]))
    h = builder.gate("requant", "relu", [h], [shift], lo=0, hi=127)
    w2 = builder.constant("w2", np.array([[1, -1], [2, 1], [-1, 3]]))
    b2 = builder.constant("b2", np.array([0, 1]))
    y = builder.gate("dense", "logits", [h], [w2, b2])
    builder.output("y", y, dtype="float32", scale=0.125)
    return builder.build()
