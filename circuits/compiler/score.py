# SPDX-License-Identifier: AGPL-3.0-or-later
"""Comparison of one output with the float model's. Figures are integers, or decimal strings rounded up."""

from __future__ import annotations

from decimal import ROUND_UP, Context, Decimal

import numpy as np

from circuits.ops.operator import Array

_THREE = Context(prec=3, rounding=ROUND_UP)


class Score:
    """Accumulates chunks. `integral`: indices, compared for equality. `probabilities`: a Softmax output."""

    def __init__(self, integral: bool, probabilities: bool) -> None:
        self.integral, self.probabilities = integral, probabilities
        self.rows = self.agreed = 0
        self.worst = self.worst_logit = self.largest = 0.0

    def add(self, wanted: Array, found: Array) -> None:
        """Outputs [batch, ...] of the float model and of the circuit."""
        if self.integral:
            self.rows += wanted.size
            self.agreed += int((wanted == found).sum())
            return
        difference = np.abs(wanted.astype(np.float64) - found)
        self.worst = max(self.worst, float(difference.max(initial=0.0)))
        self.largest = max(self.largest, float(np.abs(wanted).max(initial=0.0)))
        if wanted.ndim > 1 and wanted.shape[-1] > 1:
            self.rows += wanted[..., 0].size
            self.agreed += int((wanted.argmax(axis=-1) == found.argmax(axis=-1)).sum())

    def add_logits(self, wanted: Array, found: Array) -> None:
        """What the Softmax was computed from."""
        difference = np.abs(wanted.astype(np.float64) - found)
        self.worst_logit = max(self.worst_logit, float(difference.max(initial=0.0)))

    def report(self) -> dict[str, object]:
        """`top1_agree` of `top1_of` rows along the last axis, and the worst absolute errors."""
        record: dict[str, object] = {}
        if self.rows:
            record |= {"top1_agree": self.agreed, "top1_of": self.rows}
        if self.probabilities:
            record |= {
                "worst_probability_error": decimal(self.worst),
                "worst_logit_error": decimal(self.worst_logit),
            }
        elif not self.integral:
            record |= {"worst_error": decimal(self.worst), "largest_value": decimal(self.largest)}
        return record


def decimal(value: float) -> str:
    """Three significant digits, rounded up: never better than measured."""
    return str(_THREE.create_decimal(Decimal(value)).normalize(_THREE))
