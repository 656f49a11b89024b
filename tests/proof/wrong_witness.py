# SPDX-License-Identifier: AGPL-3.0-or-later
"""Provers that follow the protocol with a wrong witness."""

from __future__ import annotations

import numpy as np

from prover.witness import Witness


class Cheat(Witness):
    """Honest columns, then `alter`, then multiplicities that fit as well as they can."""

    alter = staticmethod(lambda witness, counted: None)

    def _count(self):
        type(self).alter(self, False)
        self.looked_up = [
            (self.rows(x.first, x.shape), self.rows(x.second, x.shape) if x.second.terms else None)
            for x in self.plan.lookups
        ]
        for number, column in enumerate(self.plan.multiplicities):
            first, second = self.plan.tables[number].rows()
            count = np.zeros(len(first), np.int64)
            count[0] = self.plan.idle[number]
            where = {pair: i for i, pair in enumerate(zip(first.tolist(), second.tolist(), strict=True))}
            for lookup, (f, s) in zip(self.plan.lookups, self.looked_up, strict=True):
                if lookup.table == number:
                    g = np.zeros_like(f) if s is None else s
                    for pair in zip(f.reshape(-1).tolist(), g.reshape(-1).tolist(), strict=True):
                        if pair in where:
                            count[where[pair]] += 1
            self.columns[column] = count[None]
        type(self).alter(self, True)
